import { FinegrainError, type HostTensor, hostTensor } from "@finegrain/graph";
import { safetensorsChunks } from "@finegrain/nn";
import { writeFileAtomically } from "../folder/atomic-file.ts";
import { makeWholeFolder } from "../folder/atomic-folder.ts";
import { exists } from "../folder/run-folder.ts";
import { nodePath } from "../node.ts";
import type { Run } from "../run.ts";
import { tokenizerJson } from "../tokenizer.ts";
import { tensorsForOthers } from "./foreign-tensors.ts";
import { ggufChunks } from "./gguf/chunks.ts";
import { headWidthOf, metadataOfModel, ropeDivisors } from "./gguf/metadata-of-model.ts";
import { metadataOfTokenizer } from "./gguf/metadata-of-tokenizer.ts";
import { huggingFaceConfig } from "./hugging-face/config-of-model.ts";
import { ggufNames, huggingFaceNames } from "./naming.ts";

export interface ExportOptions {
  /** The folder or the file to make. */
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
  const files = {
    "config.json": json(config),
    "generation_config.json": json({ bos_token_id: begin ?? null, eos_token_id: end ?? null }),
    "model.safetensors": safetensorsChunks(types, (name) => tensors.get(name)!.read(), { format: "pt" }),
    "tokenizer.json": tokenizerOf(run),
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

/**
 * Make a GGUF file of a run, float32, which llama.cpp runs and quantises. It is written aside and renamed, so that it is whole or not there.
 *
 * @throws FinegrainError where llama.cpp has no such model or tokenizer, with what is other about it, or there is a file already.
 */
export async function exportToGguf(run: Run, { out }: ExportOptions): Promise<void> {
  const { specialTokens = {}, chatTemplate } = run.config;
  const model = run.model.config;
  const { family } = huggingFaceConfig(model);
  const metadata = new Map([
    ...metadataOfModel(model, family),
    ...metadataOfTokenizer(tokenizerOf(run), model.vocabulary, specialTokens, chatTemplate),
  ]);
  if (await exists(out)) throw new FinegrainError(`there is a file ${out} already: choose another name`);
  const naming = ggufNames(family);
  const tensors = new Map(
    [...tensorsForOthers(model, await run.weights(), naming, headWidthOf(model))].map(([name, { type, read }]) => [
      name,
      { shape: type.shape, pieces: () => bytesOf(read) },
    ]),
  );
  const divisors = ropeDivisors(model);
  if (divisors !== undefined)
    tensors.set("rope_freqs.weight", {
      shape: [divisors.length],
      pieces: () => bytesOf(async () => hostTensor("float32", [divisors.length], divisors)),
    });
  await writeFileAtomically(out, ggufChunks({ metadata, tensors }));
}

async function* bytesOf(read: () => Promise<HostTensor>): AsyncGenerator<Uint8Array> {
  const { data } = await read();
  const numbers = data instanceof Float32Array ? data : Float32Array.from(data);
  yield new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
}

/** @throws FinegrainError where there is no tokenizer.json, of which other programs make their own. */
function tokenizerOf({ tokenizer }: Run): string {
  const json = tokenizerJson(tokenizer);
  if (json === undefined)
    throw new FinegrainError(`the tokenizer ${tokenizer.name} has no tokenizer.json, which others need`);
  return json;
}

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;
