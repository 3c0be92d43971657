import { command } from "../../command.ts";
import { runOperand } from "../run-operand.ts";

export const exportFlags = {
  to: {
    type: "choice",
    choices: ["huggingface"],
    default: "huggingface",
    help: "the form of the model: a folder that transformers opens",
  },
  out: { type: "text", value: "DIR", help: "the folder to make (default the run's name and the form)" },
} as const;

export const exportCommand = command({
  name: "export",
  summary: "write a model in a form that others open",
  operands: [runOperand],
  flags: exportFlags,
  examples: [["finegrain export runs/smollm2 --out smollm2-hf", "for AutoModelForCausalLM.from_pretrained"]],
  load: async () => (await import("./run.ts")).exportModel,
});
