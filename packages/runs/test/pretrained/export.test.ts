import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { referenceBackend } from "@finegrain/graph";
import { readSafetensors } from "@finegrain/nn";
import { afterEach, beforeEach, expect, test } from "vitest";
import { exportToHuggingFace, type ModelOptions, openPretrained, openRun, type Run, train } from "../../src/index.ts";

const pathOf = (name: string) => fileURLToPath(new URL(`./cases/${name}`, import.meta.url));
const backend = referenceBackend();
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "finegrain-export-"));
});
afterEach(() => rm(folder, { recursive: true }));

const readJson = async (path: string): Promise<Record<string, unknown>> => JSON.parse(await readFile(path, "utf8"));
const tensorsIn = async (path: string) =>
  readSafetensors(await readFile(join(path, "model.safetensors")), path).tensors;

test.each(["llama", "llama3", "llama/model.gguf", "llama31/model.gguf", "mistral", "qwen2", "qwen3"])(
  "%s is given back as it came",
  async (name) => {
    const out = join(folder, "given");
    await using run = await openRun(pathOf(name), { backend });
    await exportToHuggingFace(run, { out });
    const [before, after] = await Promise.all([openPretrained(pathOf(name)), openPretrained(out)]);
    expect(after.model).toEqual(before.model);
    expect(after.specialTokens).toEqual(before.specialTokens);
    expect(after.chatTemplate).toBe(before.chatTemplate);
    expect(await after.weights()).toEqual(await before.weights());
    const text = "the end of it: 日本 and the rest";
    expect(after.tokenizer.encode(text)).toEqual(before.tokenizer.encode(text));
    expect(await readdir(folder)).toEqual(["given"]);
  },
);

test.each(["llama", "qwen2", "qwen3"])("%s has the tensors and the config that transformers wrote", async (name) => {
  const out = join(folder, "given");
  await using run = await openRun(pathOf(name), { backend });
  await exportToHuggingFace(run, { out });
  expect(await tensorsIn(out)).toEqual(await tensorsIn(pathOf(name)));
  const [ours, theirs] = [await readJson(join(out, "config.json")), await readJson(join(pathOf(name), "config.json"))];
  for (const field of ["architectures", "model_type", "hidden_size", "num_key_value_heads", "rms_norm_eps"])
    expect(ours[field]).toEqual(theirs[field]);
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

test.each<[string, object]>([
  ["its norm is not rms", { norm: "layer" }],
  ["its feed-forward layer is not dense", { feedForward: { type: "sparse", blockSize: 4, rank: 2 } }],
  ["its feed-forward layer is not swiglu without biases", { feedForward: { type: "dense" } }],
  ["its attention is not dense", { attention: { type: "low-rank", rank: 4 } }],
  ["its loss layer is not tied, or dense without a bias", { loss: { type: "dense" } }],
  ["this model's positions do not", { positions: "sinusoidal" }],
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
