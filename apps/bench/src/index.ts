export { appendResults } from "./append-results.ts";
export { type Change, compare, MARGINS, type Verdict } from "./compare.ts";
export { timeDecode } from "./decode-case.ts";
export { readEvidence } from "./evidence.ts";
export { interleave } from "./method.ts";
export { parseSuite } from "./parse-suite.ts";
export { openPeers, peersNamed } from "./peers/open.ts";
export type { Peer } from "./peers/peer.ts";
export { type Profile, profileSuite } from "./profile-suite.ts";
export {
  errorSentence,
  type Failure,
  isFailure,
  isMeasurement,
  isOpMeasurement,
  type Measurement,
  type ModelPhase,
  type OpMeasurement,
  type Phase,
  type Result,
} from "./result.ts";
export { failed } from "./results.ts";
export { casesOf, type Progress, type RunOptions, runSuite } from "./run-suite.ts";
export { interquartile, isWide, median, quantile, ratio, type Spread } from "./statistics.ts";
export { BASELINE, type Case, loadSuite, type Measure, type PaperFigures, type Suite, suiteNames } from "./suites.ts";
