import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { evaluate, graph, hostTensor, input } from "@finegrain/graph";
import { evaluation, traceWeights } from "@finegrain/nn";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { expect, test } from "vitest";
import { exportToOnnx, openBackend, type Run, train } from "../src/index.ts";
import { emptyFolder, finegrain, TEXT } from "./command-line.ts";

const CAPACITY = 72;
const ids = [...new TextEncoder().encode(TEXT)].slice(0, CAPACITY);

const models = {
  "of grouped queries, rotary positions and a tied head": {
    positions: "rotary",
    norm: "rms",
    attention: { type: "dense", kvHeads: 1, bias: "none" },
    feedForward: { type: "dense", activation: "swiglu", bias: false },
    loss: { type: "tied" },
  },
  "of sparse layers": {
    attention: { type: "multiplicative-convolutional", modules: 2, kernel: 3, lengthKernel: 3 },
    feedForward: { type: "sparse", blockSize: 4 },
    loss: { type: "multiplicative", modules: 2 },
  },
  "of experts and a recurrence": {
    feedForward: { type: "token-choice", experts: 2 },
    recurrence: { layers: 1, units: 8 },
  },
} as const;

test.each(Object.entries(models))("a model %s runs in ONNX Runtime without finegrain", async (_, own) => {
  await using backend = await openBackend({ name: "onnx" });
  await using run = await train({
    ...{ backend, data: TEXT.repeat(20) },
    model: { layers: 2, dModel: 16, dFf: 32, heads: 2, maxLength: 96, ...own },
    training: { steps: 2, batch: 2, length: 16 },
  });
  const out = join(await emptyFolder(), "onnx");
  await exportToOnnx(run, { out, context: CAPACITY });
  expect((await readdir(out)).sort()).toEqual(["decode.onnx", "model.safetensors", "prompt.onnx", "tokenizer.json"]);

  const [prompt, decode] = [await open(out, "prompt.onnx"), await open(out, "decode.onnx")];
  let step = await prompt(ids.slice(0, 64), 0, {});
  expectClose(step.logits, await lastLogits(run, ids.slice(0, 64)));
  for (let position = 64; position < CAPACITY; position++) step = await decode([ids[position]!], position, step.past);
  expectClose(step.logits, await lastLogits(run, ids));
});

type Caches = Record<string, Tensor>;

/** A model of a folder, as a program that knows nothing of finegrain runs it. */
async function open(folder: string, file: string) {
  const session = await InferenceSession.create(join(folder, file));
  const zeros: Caches = {};
  for (const given of session.inputMetadata) {
    if (!given.isTensor || !given.name.startsWith("past.")) continue;
    const shape = given.shape as number[]; // none is symbolic
    zeros[given.name] = new Tensor("float32", new Float32Array(shape.reduce((a, b) => a * b, 1)), shape);
  }
  return async (tokens: readonly number[], position: number, past: Caches) => {
    const ids = new Tensor("int32", Int32Array.from(tokens), [1, tokens.length]);
    const outputs = await session.run({
      ...zeros,
      ...past,
      tokens: ids,
      position: new Tensor("int32", Int32Array.of(position), []),
    });
    const { logits, ...present } = outputs as Caches;
    const next = Object.entries(present).map(([name, value]) => [name.replace("present.", "past."), value]);
    return { logits: logits!.data as Float32Array, past: Object.fromEntries(next) as Caches };
  };
}

/** Of the token after these, by the reference, of the whole text at once. */
async function lastLogits(run: Run, tokens: readonly number[]): Promise<ArrayLike<number>> {
  const { model } = run;
  const traced = traceWeights(model.params, "float32");
  const given = input([1, tokens.length], "int32", "tokens");
  const own = await run.weights();
  const order = Object.keys(traced.stored);
  const whole = graph({
    inputs: [...order.map((path) => traced.stored[path]!), given],
    outputs: [model.logits(traced.weights, given, { ...evaluation, asDecoded: true })],
  });
  const values = [...order.map((path) => own.get(path)!), hostTensor("int32", [1, tokens.length], tokens)];
  return Array.from(evaluate(whole, values)[0]!.data).slice(-model.config.vocabulary);
}

function expectClose(found: ArrayLike<number>, expected: ArrayLike<number>): void {
  const largest = Math.max(...Array.from(expected, Math.abs));
  expect(found.length).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) expect(Math.abs(found[i]! - expected[i]!)).toBeLessThan(1e-5 * largest);
}

test("a context that the model cannot see is refused, and one for another form", async () => {
  await using backend = await openBackend({ name: "onnx" });
  const out = join(await emptyFolder(), "run");
  const sizes = { layers: 1, dModel: 8, dFf: 16, heads: 2, maxLength: 32 };
  await using run = await train({
    backend,
    out,
    data: TEXT,
    model: sizes,
    training: { steps: 1, batch: 1, length: 16 },
  });
  await expect(exportToOnnx(run, { out: `${out}-onnx`, context: 33 })).rejects.toThrow(
    "the context must be a whole number from 1 to the model's 32, not 33",
  );
  await run.close();
  expect(await finegrain(["export", out, "--to", "gguf", "--context", "8"])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("--context is for --to onnx"),
  });
  const command = await finegrain(["export", out, "--to", "onnx", "--out", `${out}-onnx`]);
  expect(command).toMatchObject({ code: 0, stdout: expect.stringContaining("decode.onnx") });
  expect(await readdir(`${out}-onnx`)).toContain("decode.onnx");
  expect(await readdir(`${out}-onnx`)).not.toContain("prompt.onnx");
});
