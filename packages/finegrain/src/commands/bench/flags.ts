import { command } from "../../command.ts";
import { backendFlags, quantizeFlag, ranksFlag, threadsFlag } from "../backend-flags.ts";

export const benchFlags = {
  backend: {
    ...backendFlags.backend,
    value: "NAMES",
    help: "what runs it, one after the other: onnx,wasm,tfjs:wasm; see finegrain devices; default onnx",
  },
  device: {
    ...backendFlags.device,
    value: "NAMES",
    help: "devices of the one backend, one after the other: native,wasm",
  },
  ...quantizeFlag,
  json: { type: "text", value: "FILE", help: "append the results to this file, one JSON object a line" },
  against: {
    type: "text",
    value: "FILE",
    help: "say what changed since these results beyond the noise; exit code 1 where something got slower",
  },
  peers: {
    type: "text",
    value: "NAMES",
    help: "other libraries to measure in the same rounds: pytorch, llama.cpp, onnxruntime, jax-js, or all that are there",
  },
  quick: { type: "switch", help: "fewer rounds: done within a minute" },
  profile: { type: "switch", help: "no comparison: the time of every kernel of a round, where the backend can tell" },
  distributed: {
    ...ranksFlag.distributed,
    help: `${ranksFlag.distributed.help}; training is measured by 1, 2, 4, ... of them`,
  },
  "each-host": {
    type: "switch",
    help: "with --distributed: every rank measures the whole suite by itself, all at once; start one on each machine",
  },
  rounds: { type: "whole", value: "N", least: 1, help: "rounds to measure; default the suite's own number" },
  prompt: {
    type: "whole",
    value: "N",
    least: 1,
    help: "tokens of prompts, and before decoded ones; default the suite's",
  },
  batch: {
    type: "whole",
    value: "N",
    least: 1,
    help: "windows of a training step, texts decoded at a time; default the suite's",
  },
  ...threadsFlag,
  csv: { type: "switch", help: "print comma-separated values, one line a result, in place of tables" },
  markdown: { type: "switch", help: "print tables of Markdown" },
} as const;

const SUITES =
  "paper-800m, paper-800m-storage, paper-17b-block, train-small, train-layers, quality, ops, context, streams, scale, widths, terraformer, train-depth, pretrained, prompts, or the path of a suite's JSON file";

export const bench = command({
  name: "bench",
  summary: "measure decode and training, sparse against dense",
  operands: [{ name: "SUITE", required: true, help: SUITES }],
  flags: benchFlags,
  examples: [
    ["finegrain bench train-small --quick", "a first look"],
    ["finegrain bench paper-800m --json results.jsonl", "the paper's 800M model, every variant, kept as JSON lines"],
    [
      "finegrain bench ops --backend onnx,wasm,tfjs",
      "single operations on three backends, against the machine's limits",
    ],
    ["finegrain bench train-small --peers pytorch,jax-js", "other libraries in the same rounds"],
    ["mpirun -n 4 finegrain bench train-small --distributed mpi", "training by 1, 2 and 4 ranks, and their messages"],
    ["finegrain bench train-small --against results.jsonl", "what changed since then: for use in CI"],
  ],
  load: async () => (await import("./run.ts")).bench,
});
