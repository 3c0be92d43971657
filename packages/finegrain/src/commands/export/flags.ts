import { command } from "../../command.ts";
import { runOperand } from "../run-operand.ts";

export const exportFlags = {
  to: {
    type: "choice",
    choices: ["huggingface", "gguf"],
    default: "huggingface",
    help: "a folder that transformers opens, or a file that llama.cpp opens",
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
  ],
  load: async () => (await import("./run.ts")).exportModel,
});
