export { timeDecode } from "./cases/decode-case.ts";
export { interleave } from "./measure/method.ts";
export { type Profile, profileSuite } from "./measure/profile-suite.ts";
export { runScaling, type ScalingOptions } from "./measure/run-scaling.ts";
export { casesOf, type Progress, type RunOptions, runSuite } from "./measure/run-suite.ts";
export { interquartile, isWide, mean, median, quantile, ratio, type Spread } from "./measure/statistics.ts";
export { openPeers, peersNamed } from "./peers/open.ts";
export type { Peer } from "./peers/peer.ts";
export { appendResults } from "./results/append-results.ts";
export { type Change, compare, MARGINS, type Verdict } from "./results/compare.ts";
export { errorSentence } from "./results/error-sentence.ts";
export { readEvidence } from "./results/evidence.ts";
export {
  type Failure,
  isFailure,
  isMeasurement,
  isOpMeasurement,
  type Measurement,
  type ModelPhase,
  type OpMeasurement,
  type Phase,
  type Result,
} from "./results/result.ts";
export { failed } from "./results/results.ts";
export { modelFigures } from "./study/figures.ts";
export { runCount, runsToMake, type StudyRun } from "./study/plan.ts";
export type { StudyResult } from "./study/result.ts";
export { runStudy, type StudyOptions, trainingOf } from "./study/run-study.ts";
export { speedSuite } from "./study/speed-suite.ts";
export { loadStudy, parseStudy, type Study, type StudyVariant } from "./study/study.ts";
export { summarize, type VariantSummary } from "./study/summary.ts";
export { loadSuite, suiteNames } from "./suites/load-suite.ts";
export { parseSuite } from "./suites/parse-suite.ts";
export { BASELINE, type Case, type Measure, type PaperFigures, type Suite } from "./suites/suite.ts";
