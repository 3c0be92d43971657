/*
 * What measures, without what is Node's alone (files, peers, studies): a page takes this.
 */
export { stepBytes } from "./cases/decode-case.ts";
export { casesOf, type Progress, type RunOptions, runSuite } from "./measure/run-suite.ts";
export { parseEvidence } from "./results/parse-evidence.ts";
export {
  isFailure,
  isMeasurement,
  isOpMeasurement,
  type Result,
} from "./results/result.ts";
export { parseSuite } from "./suites/parse-suite.ts";
export type { Suite } from "./suites/suite.ts";
