import { command } from "../../command.ts";
import { runOperand } from "../run-operand.ts";

export const exportFlags = {
  to: {
    type: "choice",
    choices: ["huggingface", "gguf", "onnx"],
    default: "huggingface",
    help: "a folder that transformers opens, a file that llama.cpp opens, or a folder of models for ONNX Runtime",
  },
  context: {
    type: "whole",
    value: "N",
    least: 1,
    help: "of onnx: tokens that a text may have (default as many as the model may see)",
  },
  out: { type: "text", value: "PATH", help: "the folder or file to make (default the run's name and the form)" },
} as const;

export const exportCommand = command({
  name: "export",
  summary: "write a model in a form that others open",
  operands: [runOperand],
  flags: exportFlags,
  examples: [
    ["finegrain export runs/smollm2 --out smollm2-hf", "for AutoModelForCausalLM.from_pretrained"],
    ["finegrain export runs/smollm2 --to gguf --out smollm2.gguf", "for llama.cpp"],
    [
      "finegrain export runs/sparse --to onnx --out sparse-onnx",
      "any language model, for ONNX Runtime in any language",
    ],
  ],
  load: async () => (await import("./run.ts")).exportModel,
});
