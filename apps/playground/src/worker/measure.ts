import { parseEvidence, parseSuite, type Result, runSuite } from "@finegrain/bench/method";
import type { Job } from "../protocol.ts";
import { openEngine } from "./open-engine.ts";

/** Run a suite by the method of `finegrain bench`. A stop keeps the rounds that were whole. */
export const measure: Job<"measure"> = async ({ suite, engine, isQuick, device }, { tell, signal }) => {
  await using backend = await openEngine(engine);
  // What a browser says of its device is little: the person's name for it stands in the place of the processor's.
  const named = (result: Result): Result =>
    device === "" ? result : { ...result, machine: { ...result.machine, cpu: device } };
  const running = runSuite(parseSuite(suite, "the suite"), {
    backend,
    quick: isQuick,
    signal,
    onProgress: ({ case: name, activity, done, of }) => tell({ kind: "progress", case: name, activity, done, of }),
  });
  for await (const results of running) tell({ kind: "results", results: results.map(named) });
  return undefined;
};

export const readLines: Job<"readLines"> = async ({ text, name }) => parseEvidence(text, name).results;
