/*
 * What measures, without what is Node's alone (files, peers, studies): a page takes this.
 */
export { runSuite } from "./measure/run-suite.ts";
export { parseEvidence } from "./results/parse-evidence.ts";
export { isMeasurement, type Result } from "./results/result.ts";
export { parseSuite } from "./suites/parse-suite.ts";
