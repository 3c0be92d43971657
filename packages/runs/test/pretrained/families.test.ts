import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { type BackendName, openBackend } from "@finegrain/backends";
import { createGenerator } from "@finegrain/generate";
import { type Backend, graph, type HostTensor, hostTensor, input, type Tensor } from "@finegrain/graph";
import { evaluation, type LanguageModel, leaves, mapParams, scalingLM } from "@finegrain/nn";
import { describe, expect, test } from "vitest";
import { openPretrained, openRun } from "../../src/index.ts";

/*
 * Small random models of every family, with the logits and the greedy text that transformers computes: scripts/pretrained-cases.py.
 */

const pathOf = (name: string) => fileURLToPath(new URL(`./cases/${name}`, import.meta.url));
interface Expected {
  readonly tokens: readonly number[];
  readonly logits: readonly (readonly number[])[];
  readonly greedy: readonly number[];
}
const expectedOf = async (name: string): Promise<Expected> =>
  JSON.parse(await readFile(`${pathOf(name)}/expected.json`, "utf8"));

/** Of the largest logit: float32 rounds each of them by that much. */
const TOLERANCE = 1e-4;

/** Logits of every token, in one pass. */
async function logitsOf(
  backend: Backend,
  model: LanguageModel,
  weights: ReadonlyMap<string, HostTensor>,
  ids: readonly number[],
): Promise<ArrayLike<number>> {
  const w = mapParams(model.params, ({ shape }, path) => input(shape, "float32", path));
  const tokens = input([1, ids.length], "int32", "tokens");
  const named = leaves<Tensor>(w as never); // a tree of tensors
  const pass = graph({
    name: "logits",
    inputs: [...named.map(([, tensor]) => tensor), tokens],
    outputs: [model.logits(w, tokens, evaluation)],
  });
  using executable = await backend.compile(pass);
  const values = [...named.map(([path]) => weights.get(path)!), hostTensor("int32", [1, ids.length], ids)];
  const [logits] = executable.run(values.map((value) => backend.upload(value)));
  return (await logits!.read()).data;
}

const BACKENDS: readonly BackendName[] = ["reference", "onnx", "wasm"];

const OF_EXPERTS = ["mixtral", "olmoe", "qwen2_moe", "qwen3_moe"];
const FOLDERS = ["llama", "llama3", "mistral", "qwen2", "qwen3", ...OF_EXPERTS, "gpt2"];
const GGUF = ["llama", "llama31", "qwen2", "qwen3", ...OF_EXPERTS, "gpt2"].map((name) => `${name}/model.gguf`);

describe.each([...FOLDERS, ...GGUF])("%s", (name) => {
  test.each(BACKENDS)("computes what transformers computes, on %s", async (backendName) => {
    const { tokens, logits, greedy } = await expectedOf(name.split("/")[0]!); // there is a first part
    const pretrained = await openPretrained(pathOf(name));
    const model = scalingLM(pretrained.model);
    const weights = await pretrained.weights();
    await using backend = await openBackend({ name: backendName });
    const found = await logitsOf(backend, model, weights, tokens);
    const wanted = logits.flat();
    expect(found.length).toBe(wanted.length);
    const largest = Math.max(...wanted.map(Math.abs));
    const off = wanted.map((x, i) => Math.abs(found[i]! - x));
    expect(Math.max(...off) / largest).toBeLessThan(TOLERANCE);

    await using generator = await createGenerator({ backend, model, weights });
    const ids: number[] = [];
    const options = { maxTokens: greedy.length, temperature: 0, tokenizer: pretrained.tokenizer };
    for await (const { token } of generator.generate(Int32Array.from(tokens), options)) ids.push(token!);
    expect(ids).toEqual(greedy);
  });
});

test("a GGUF file has the weights and the tokenizer of the folder that it was made from", async () => {
  const [folder, file] = await Promise.all(["llama", "llama/model.gguf"].map((name) => openPretrained(pathOf(name))));
  expect(await file!.weights()).toEqual(await folder!.weights());
  const text = "The end of the text</s> and what comes behind it: 日本";
  expect(file!.tokenizer.encode(text)).toEqual(folder!.tokenizer.encode(text));
});

test("a folder of transformers is opened as a run, which writes and is judged", async () => {
  await using backend = await openBackend({ name: "wasm" });
  await using run = await openRun(pathOf("llama"), { backend });
  expect(run).toMatchObject({ step: 0, path: pathOf("llama"), bitsPerByte: undefined });
  let text = "";
  for await (const piece of run.generate("the ", { maxTokens: 4, temperature: 0 })) text += piece.text;
  expect(text).not.toBe("");
  const { bitsPerByte, bytes } = await run.evaluate("the and the ".repeat(20));
  expect(bytes).toBe(240);
  expect(bitsPerByte).toBeGreaterThan(1);
  await expect(run.train()).rejects.toThrow("cannot be trained on");
});

test("a model whose attention has a window takes texts of no more than that", async () => {
  expect((await openPretrained(pathOf("mistral"))).model.maxLength).toBe(48);
});
