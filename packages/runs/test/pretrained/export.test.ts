import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type HostTensor, hostTensor, referenceBackend } from "@finegrain/graph";
import { readSafetensors } from "@finegrain/nn";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  exportToGguf,
  exportToHuggingFace,
  type ModelOptions,
  openPretrained,
  openRun,
  type Run,
  train,
} from "../../src/index.ts";

const pathOf = (name: string) => fileURLToPath(new URL(`./cases/${name}`, import.meta.url));
const backend = referenceBackend();
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "finegrain-export-"));
});
afterEach(() => rm(folder, { recursive: true }));

const readJson = async (path: string): Promise<Record<string, unknown>> => JSON.parse(await readFile(path, "utf8"));
/** Of all files of a folder, as float32. */
async function tensorsIn(path: string): Promise<Map<string, HostTensor>> {
  const files = (await readdir(path)).filter((name) => name.endsWith(".safetensors"));
  const read = files.map(async (name) => readSafetensors(await readFile(join(path, name)), name).tensors);
  const tensors = (await Promise.all(read)).flatMap((found) => [...found]);
  return new Map(tensors.map(([name, { shape, data }]) => [name, hostTensor("float32", shape, data)]));
}

const FAMILIES = ["llama", "qwen2", "qwen3", "mixtral", "olmoe", "qwen2_moe", "qwen3_moe", "gpt2"];

/** Models of others that are the same in all that is known of them. @param text what their tokenizers are compared on. */
async function expectSame(original: string, given: string, text: string): Promise<void> {
  const [before, after] = await Promise.all([openPretrained(original), openPretrained(given)]);
  expect(after.model).toEqual(before.model);
  expect(after.specialTokens).toEqual(before.specialTokens);
  expect(after.chatTemplate).toBe(before.chatTemplate);
  expect(await after.weights()).toEqual(await before.weights());
  expect(after.tokenizer.encode(text)).toEqual(before.tokenizer.encode(text));
}

test.each(["llama3", "llama/model.gguf", "llama31/model.gguf", "mistral", "gpt2/model.gguf", ...FAMILIES])(
  "%s is given back as it came",
  async (name) => {
    const out = join(folder, "given");
    await using run = await openRun(pathOf(name), { backend });
    await exportToHuggingFace(run, { out });
    await expectSame(pathOf(name), out, "the end of it: 日本 and the rest");
    expect(await readdir(folder)).toEqual(["given"]);
  },
);

/** What the tokenizer does not do, what has no part in layers of experts, and what has another name or no meaning after training. */
const notKept = (family: string) =>
  family.startsWith("qwen") && family.endsWith("_moe")
    ? /^((bos|eos)_token_id|head_dim|dtype|intermediate_size)$/
    : /^((bos|eos)_token_id|head_dim|dtype|.*_pdrop)$/;

test.each([
  "llama/model.gguf",
  "llama31/model.gguf",
  "mistral",
  "qwen2",
  "qwen3",
  "mixtral",
  "qwen2_moe",
  "qwen3_moe",
  "gpt2",
])("%s is given as a GGUF file", async (name) => {
  const out = join(folder, "given.gguf");
  await using run = await openRun(pathOf(name), { backend });
  await exportToGguf(run, { out });
  await expectSame(pathOf(name), out, "the end</s> of it: 日本 and the rest");
  expect(await readdir(folder)).toEqual(["given.gguf"]);
  await expect(exportToGguf(run, { out })).rejects.toThrow(`there is a file ${out} already: choose another name`);
});

test.each<[string, object, string]>([
  [
    "fewer heads of keys in OLMoE",
    {
      feedForward: { type: "token-choice", experts: 2, gated: true, activation: "silu" },
      attention: { type: "dense", kvHeads: 1, bias: "none", normalize: true, normalizeOver: "all" },
    },
    "llama.cpp has models of olmoe with as many heads of keys as of queries alone",
  ],
  [
    "sums of shares",
    {
      feedForward: { type: "token-choice", experts: 2, gated: true, activation: "silu" },
      attention: { type: "dense", bias: "none", normalize: true },
    },
    "llama.cpp has models of qwen3_moe whose experts' shares sum to 1 alone",
  ],
  [
    "an activation",
    { norm: "layer", positions: "learned", feedForward: { type: "dense" }, attention: { type: "dense" } },
    "llama.cpp has GPT-2's units with the activation fastGelu alone, not relu",
  ],
])("what llama.cpp has not is said: %s", async (_, own, says) => {
  await using run = await trained({ ...like, ...own } as ModelOptions);
  await expect(exportToGguf(run, { out: join(folder, "given.gguf") })).rejects.toThrow(says);
});

test.each(FAMILIES)("%s has the tensors and the config that transformers wrote", async (name) => {
  const out = join(folder, "given");
  await using run = await openRun(pathOf(name), { backend });
  await exportToHuggingFace(run, { out });
  expect(await tensorsIn(out)).toEqual(await tensorsIn(pathOf(name)));
  const [ours, theirs] = [await readJson(join(out, "config.json")), await readJson(join(pathOf(name), "config.json"))];
  const fields = Object.keys(ours).filter((field) => field in theirs && !notKept(name).test(field));
  expect(fields.length).toBeGreaterThan(10);
  const inFull = { n_inner: 4 * Number(ours.n_embd) };
  for (const field of fields)
    expect([field, ours[field]]).toEqual([field, theirs[field] ?? inFull[field as never] ?? null]);
});

const like = {
  layers: 1,
  dModel: 16,
  dFf: 24,
  heads: 2,
  norm: "rms",
  positions: "rotary",
  feedForward: { type: "dense", activation: "swiglu", bias: false },
  attention: { type: "dense", bias: "none" },
  loss: { type: "tied" },
} as const;

const trained = (model: ModelOptions): Promise<Run> =>
  train({ backend, data: "it is so and it is not. ".repeat(50), model, training: { steps: 2, batch: 2, length: 16 } });

test("a model that was trained here on bytes is opened as one of Llama's, with a tokenizer of bytes", async () => {
  const out = join(folder, "given");
  await using run = await trained(like);
  await exportToHuggingFace(run, { out });
  await using again = await openRun(out, { backend });
  // The reference backend computes in float64, files have float32.
  const weights = [...(await run.weights())].map(
    ([path, tensor]) => [path, { ...tensor, data: Float32Array.from(tensor.data) }] as const,
  );
  expect(await again.weights()).toEqual(new Map(weights));
  const text = "naïve \uFEFF日本\n\tand 'so' on  ";
  expect(again.tokenizer.encode(text)).toEqual(run.tokenizer.encode(text));
  expect(again.tokenizer.decode(again.tokenizer.encode(text))).toBe(text);
});

test("a model of GPT-2's kind that was trained here is opened as one", async () => {
  const out = join(folder, "given");
  const own = {
    positions: "learned",
    norm: "layer",
    feedForward: { type: "dense" },
    attention: { type: "dense" },
  } as const;
  await using run = await trained({ ...like, ...own });
  await exportToHuggingFace(run, { out });
  const opened = await openPretrained(out);
  expect(opened.family).toBe("gpt2");
  const pieces = async (from: Run) => {
    let text = "";
    for await (const piece of from.generate("it is", { maxTokens: 8, temperature: 0 })) text += piece.text;
    return text;
  };
  await using again = await openRun(out, { backend });
  expect(await pieces(again)).toBe(await pieces(run));
});

test.each<[string, object]>([
  ["its attention is not GPT-2's, as a LayerNorm asks for", { norm: "layer" }],
  ["its norm is not rms without a bias", { norm: { type: "rms", bias: true } }],
  ["its feed-forward layer is not dense, nor token-choice", { feedForward: { type: "sparse", blockSize: 4, rank: 2 } }],
  ["its feed-forward layer is not swiglu without biases", { feedForward: { type: "dense" } }],
  ["its attention is not dense", { attention: { type: "low-rank", rank: 4 } }],
  ["its matrices' input is not read whole", { activeInputs: [{}] }],
  ["its loss layer is not tied, or dense without a bias", { loss: { type: "dense" } }],
  ["its kind of positions is not rotary, as RMSNorm asks for", { positions: "sinusoidal" }],
])("what transformers has not is said: %s", async (sentence, own) => {
  await using run = await trained({ ...like, ...own } as ModelOptions);
  await expect(exportToHuggingFace(run, { out: join(folder, "given") })).rejects.toThrow(sentence);
  expect(await readdir(folder)).toEqual([]);
});

test("a folder with something in it is left as it is", async () => {
  await using run = await openRun(pathOf("llama"), { backend });
  const out = join(folder, "given");
  await exportToHuggingFace(run, { out });
  await expect(exportToHuggingFace(run, { out })).rejects.toThrow("is not empty");
});
