import { huggingFaceTokenizer, type Tokenizer } from "@finegrain/generate";
import { FinegrainError, type HostTensor, isJsonObject, jsonObject } from "@finegrain/graph";
import type { ModelConfig } from "@finegrain/nn";
import type { SpecialTokens } from "../config.ts";
import type { Checkpoint } from "../folder/checkpoint.ts";
import { readJson } from "../folder/checkpoint.ts";
import { exists } from "../folder/run-folder.ts";
import { nodeFiles, nodePath } from "../node.ts";
import { expectVocabulary, openTokenizer } from "../tokenizer.ts";
import type { Architecture } from "./architecture.ts";
import { fieldReader } from "./fields.ts";
import { type ForeignTensor, foreignTensors } from "./foreign-tensors.ts";
import { readGgufConfig } from "./gguf/config.ts";
import { openGguf } from "./gguf/gguf-file.ts";
import { specialTokensOf, tokenizerJson } from "./gguf/tokenizer.ts";
import { readHuggingFaceConfig } from "./hugging-face/config.ts";
import { openSafetensors } from "./hugging-face/safetensors-files.ts";
import { readChatTemplate, readSpecialTokens } from "./hugging-face/special-tokens.ts";
import { ggufNames, huggingFaceNames, type Naming } from "./naming.ts";
import type { TensorSource } from "./tensor-source.ts";

/** A model that others trained, in the form of theirs. */
export interface Pretrained {
  readonly path: string;
  /** What it is, in its own words: "llama", "qwen3". */
  readonly family: string;
  readonly model: ModelConfig;
  readonly tokenizer: Tokenizer;
  readonly specialTokens: SpecialTokens;
  /** What makes a prompt of a conversation, in Jinja's language; undefined where the model has none. */
  readonly chatTemplate: string | undefined;
  /** By our names, each read and put in order when it is asked for. */
  readonly tensors: ReadonlyMap<string, ForeignTensor>;
  /** All weights, float32, by our names. */
  weights(): Promise<ReadonlyMap<string, HostTensor>>;
}

/**
 * Open a model that others trained: a folder of transformers, with config.json, tokenizer.json and model.safetensors or the files of its
 * index, in F32, F16 or BF16; or a GGUF file of F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K and Q6_K. Weights are float32 here. Nothing is
 * read but the files' heads, until tensors are asked for.
 *
 * @throws FinegrainError where the model is one that is not known, a file is missing, cut short or broken, a tensor is of another shape or
 *   a format that cannot be read, or the tokenizer has tokens that the model has not.
 */
export async function openPretrained(path: string): Promise<Pretrained> {
  const isFile = await nodeFiles()
    .stat(path)
    .then((found) => found.isFile())
    .catch(() => {
      throw new FinegrainError(`there is no model at ${path}: neither a folder of transformers nor a GGUF file`);
    });
  return isFile ? openGgufModel(path) : openFolder(path);
}

/** Whether a path is of a model that others trained, and not of a run or a checkpoint. */
export async function isPretrained(path: string): Promise<boolean> {
  if (path.toLowerCase().endsWith(".gguf")) return true;
  const config = nodePath().join(path, "config.json");
  if (!(await exists(config))) return false;
  const read = await readJson(config).catch(() => undefined); // which whoever opens it says
  return isJsonObject(read) && typeof read.model_type === "string";
}

/** The model as a checkpoint of no steps, so that it is run as one. */
export const asCheckpoint = ({ path, model, tensors, weights }: Pretrained): Checkpoint => ({
  path,
  step: 0,
  config: { model },
  state: {},
  modelTypes: new Map([...tensors].map(([name, { type }]) => [name, type])),
  optimizerTypes: new Map(),
  readModel: weights,
  modelTensors: tensors,
  readOptimizer: async () => new Map(),
});

async function openFolder(path: string): Promise<Pretrained> {
  const { join } = nodePath();
  const file = join(path, "config.json");
  const config = jsonObject(await readJson(file), file);
  const architecture = readHuggingFaceConfig(config, file);
  const tokenizer = join(path, "tokenizer.json");
  if (!(await exists(tokenizer)))
    throw new FinegrainError(`${tokenizer} is missing: a model is opened with its tokenizer`);
  const parts = {
    tokenizer: await openTokenizer(tokenizer),
    specialTokens: await readSpecialTokens(config, path),
    chatTemplate: await readChatTemplate(path),
  };
  const files = await openSafetensors(path);
  return opened(
    architecture,
    files,
    huggingFaceNames(architecture.family, (name) => files.types.has(name)),
    parts,
  );
}

async function openGgufModel(path: string): Promise<Pretrained> {
  const file = await openGguf(path);
  const architecture = await readGgufConfig(file);
  const tokenizer = await huggingFaceTokenizer(tokenizerJson(file.metadata, path), path);
  const chatTemplate = fieldReader((name) => file.metadata.get(name), path).text("tokenizer.chat_template");
  const parts = { tokenizer, specialTokens: specialTokensOf(file.metadata, path), chatTemplate };
  return opened(architecture, file, ggufNames(architecture.family), parts);
}

function opened(
  { family, model, headWidth }: Architecture,
  source: TensorSource,
  naming: Naming,
  parts: Pick<Pretrained, "tokenizer" | "specialTokens" | "chatTemplate">,
): Pretrained {
  const tensors = foreignTensors(model, source, naming, headWidth);
  expectVocabulary(parts.tokenizer, model.vocabulary);
  return {
    path: source.path,
    family,
    model,
    ...parts,
    tensors,
    async weights() {
      // One after the other: each is in memory twice while it is put in order.
      const read = new Map<string, HostTensor>();
      for (const [name, tensor] of tensors) read.set(name, await tensor.read());
      return read;
    },
  };
}
