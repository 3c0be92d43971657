import { command } from "../command.ts";
import { backendFlags, quantizeFlag } from "./backend-flags.ts";

export const benchFlags = {
  ...backendFlags,
  ...quantizeFlag,
  json: { type: "text", value: "FILE", help: "append the results to this file, one JSON object a line" },
  quick: { type: "switch", help: "fewer rounds: done within a minute" },
  profile: { type: "switch", help: "no comparison: the time of every kernel of a round, where the backend can tell" },
  rounds: { type: "whole", value: "N", least: 1, help: "rounds to measure; default the suite's own number" },
} as const;

export const bench = command({
  name: "bench",
  summary: "measure decode and training, sparse against dense",
  operands: [{ name: "SUITE", required: true, help: "paper-800m, train-small, or the path of a suite's JSON file" }],
  flags: benchFlags,
  examples: [
    ["finegrain bench train-small --quick", "a first look"],
    ["finegrain bench paper-800m --json results.jsonl", "the paper's 800M model, every variant, kept as JSON lines"],
  ],
  load: async () => (await import("../actions/bench.ts")).bench,
});
