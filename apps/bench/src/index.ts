export { timeDecode } from "./decode-case.ts";
export { interleave } from "./method.ts";
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
export { type Profile, type Progress, profileSuite, type RunOptions, runSuite } from "./run-suite.ts";
export { interquartile, isWide, median, quantile, ratio, type Spread } from "./statistics.ts";
export { BASELINE, type Case, loadSuite, type Measure, parseSuite, type Suite, suiteNames } from "./suites.ts";
