import { command } from "../../command.ts";
import { jsonFlag } from "../backend-flags.ts";

export const importFlags = {
  out: { type: "text", value: "DIR", help: "the run folder to make (default runs/ and the model's name)" },
  ...jsonFlag,
} as const;

export const importCommand = command({
  name: "import",
  summary: "make a run of a model from Hugging Face or a GGUF file",
  operands: [
    {
      name: "PATH",
      required: true,
      help: "a folder with config.json, tokenizer.json and model.safetensors (or shards), or a GGUF file",
    },
  ],
  flags: importFlags,
  examples: [
    ["finegrain import SmolLM2-135M-Instruct/ --out runs/smollm2", "a folder as Hugging Face has it"],
    ["finegrain import SmolLM2-135M-Instruct.Q4_1.gguf --out runs/smollm2", "a GGUF file, its weights in float32"],
    ['finegrain generate runs/smollm2 --prompt "The capital of France is" --greedy', "and let it write"],
  ],
  load: async () => (await import("./run.ts")).importModel,
});
