import { evaluationDefaults } from "@finegrain/runs/defaults";
import { command } from "../../command.ts";
import { backendFlags, contextFlag, jsonFlag, quantizeFlag, textFieldFlag } from "../backend-flags.ts";
import { runOperand } from "../run-operand.ts";

export const evaluateFlags = {
  data: { type: "text", value: "PATH", help: "text to judge the model by; default the held-out part of its own data" },
  ...textFieldFlag,
  batch: { type: "whole", value: "N", least: 1, default: evaluationDefaults.batch, help: "windows at a time" },
  ...contextFlag,
  "as-decoded": {
    type: "switch",
    help: "routed feed-forwards: every token by itself, as when it writes, and not in groups with others",
  },
  ...backendFlags,
  ...quantizeFlag,
  ...jsonFlag,
} as const;

export const evaluate = command({
  name: "evaluate",
  summary: "how well a trained model predicts text, in bits per byte",
  operands: [runOperand],
  flags: evaluateFlags,
  examples: [
    ["finegrain evaluate runs/first", "on what was held out of its own data"],
    ["finegrain evaluate runs/first --backend wasm --quantize int8", "and what weights of 8 bits cost"],
    ["finegrain evaluate runs/first --context 512", "and what a window that slides over longer texts costs or gains"],
    ["finegrain evaluate runs/first --data another.txt --json", "on another text, for a script"],
  ],
  load: async () => (await import("./run.ts")).evaluate,
});
