import { byteLevelJson } from "@finegrain/generate";
import { FinegrainError } from "@finegrain/graph";
import { safetensorsChunks } from "@finegrain/nn";
import { writeFileAtomically } from "../folder/atomic-file.ts";
import { makeWholeFolder } from "../folder/atomic-folder.ts";
import { nodePath } from "../node.ts";
import type { Run } from "../run.ts";
import { tensorsForOthers } from "./foreign-tensors.ts";
import { huggingFaceConfig } from "./hugging-face/config-of-model.ts";
import { huggingFaceNames } from "./naming.ts";

export interface ExportOptions {
  /** The folder to make. */
  readonly out: string;
}

/**
 * Make a folder that transformers opens of a run, as `AutoModelForCausalLM` and `AutoTokenizer`: config.json, model.safetensors in float32,
 * tokenizer.json and what stands beside it. The folder is written aside and renamed, so that it is whole or not there.
 *
 * @throws FinegrainError where the model is of no family that transformers has, with what is other about it, the tokenizer is a program's own, or
 *   the folder is not empty.
 */
export async function exportToHuggingFace(run: Run, { out }: ExportOptions): Promise<void> {
  const { specialTokens = {}, chatTemplate } = run.config;
  const model = run.model.config;
  const { family, config } = huggingFaceConfig(model, specialTokens);
  const { begin, end } = specialTokens;
  const tensors = tensorsForOthers(model, await run.weights(), huggingFaceNames(family), 0);
  const types = new Map([...tensors].map(([name, { type }]) => [name, type]));
  const tokenizer = run.tokenizer.json ?? (run.tokenizer.name === "byte" ? byteLevelJson() : undefined);
  if (tokenizer === undefined)
    throw new FinegrainError(`the tokenizer ${run.tokenizer.name} has no tokenizer.json, which transformers needs`);
  const files = {
    "config.json": json(config),
    "generation_config.json": json({ bos_token_id: begin ?? null, eos_token_id: end ?? null }),
    "model.safetensors": safetensorsChunks(types, (name) => tensors.get(name)!.read(), { format: "pt" }),
    "tokenizer.json": tokenizer,
    "tokenizer_config.json": json({
      tokenizer_class: "PreTrainedTokenizerFast",
      add_bos_token: begin !== undefined,
      clean_up_tokenization_spaces: false,
      model_max_length: model.maxLength,
    }),
    ...(chatTemplate !== undefined && { "chat_template.jinja": chatTemplate }),
  };
  await makeWholeFolder(out, async (aside) => {
    for (const [name, content] of Object.entries(files))
      await writeFileAtomically(nodePath().join(aside, name), content);
  });
}

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;
