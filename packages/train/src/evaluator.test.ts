import { evaluate, graph, hostTensor, input, referenceBackend, type Tensor } from "@finegrain/graph";
import { evaluation, initialize, leaves, type ModelConfig, mapParams, scalingLM, uploadWeights } from "@finegrain/nn";
import { describe, expect, test } from "vitest";
import { heldOutBatches } from "./data/index.ts";
import { createEvaluator } from "./evaluator.ts";

const dense: ModelConfig = { vocabulary: 24, dModel: 16, dFf: 32, layers: 2, heads: 4, maxLength: 16 };
const sparse: ModelConfig = {
  ...dense,
  feedForward: { type: "sparse", blockSize: 4, rank: 4 },
  attention: { type: "multiplicative-convolutional", modules: 4 },
  loss: { type: "multiplicative", modules: 4 },
};
const SIZE = { batch: 2, length: 5 };
const text = Int32Array.from({ length: 18 }, (_, i) => (i * i + 3) % dense.vocabulary);

/** Sum of -log softmax over the targets of one window, from the logits, in plain JavaScript. */
function windowNats(config: ModelConfig, seed: number, window: Int32Array): number {
  const model = scalingLM(config);
  const w = mapParams(model.params, ({ shape }, path) => input(shape, "float32", path));
  const [length, { vocabulary }] = [window.length - 1, config];
  const x = input([1, length], "int32", "tokens");
  const inputs = [...leaves<Tensor>(w).map(([, tensor]) => tensor), x];
  const [logits] = evaluate(graph({ inputs, outputs: [model.logits(w, x, evaluation)] }), [
    ...initialize(model.params, seed).values(),
    hostTensor("int32", [1, length], window.subarray(0, length)),
  ]);
  let nats = 0;
  for (let t = 0; t < length; t++) {
    const row = [...logits!.data.slice(t * vocabulary, (t + 1) * vocabulary)];
    nats -= Math.log(Math.exp(row[window[t + 1]!]!) / row.reduce((sum, z) => sum + Math.exp(z), 0));
  }
  return nats;
}

describe.each(Object.entries({ dense, sparse }))("a %s model", (_, config) => {
  test("costs the sum of -log softmax over the targets, filling left out", async () => {
    const model = scalingLM(config);
    await using backend = referenceBackend();
    await using evaluator = createEvaluator({ backend, model });
    const weights = uploadWeights(backend, model, initialize(model.params, 5), "float32");
    const batches = [...heldOutBatches(text, SIZE)];
    // 17 targets in rows of 5: the second batch has one whole row, and one of 2 targets and 3 places of filling.
    expect(batches.map(({ count }) => count)).toEqual([10, 7]);
    const { nats, tokens } = await evaluator.evaluate(weights, batches);
    expect(tokens).toBe(17);
    const windows = [0, 5, 10, 15].map((start) => text.subarray(start, start + 6));
    expect(nats).toBeCloseTo(
      windows.reduce((sum, window) => sum + windowNats(config, 5, window), 0),
      4,
    );
  });
});

test("only the mask decides what counts", async () => {
  const model = scalingLM(dense);
  await using backend = referenceBackend();
  await using evaluator = createEvaluator({ backend, model });
  const weights = uploadWeights(backend, model, initialize(model.params, 5), "float32");
  const last = [...heldOutBatches(text, SIZE)].at(-1)!;
  const filled = last.tokens.data.map((token, i) => (i >= 6 + 3 ? 7 : token));
  const other = { ...last, tokens: hostTensor("int32", [2, 6], filled as Int32Array) }; // of an int32 tensor
  const whole = { ...last, mask: hostTensor("float32", [2, 5], new Float32Array(10).fill(1)), count: 10 };
  const expected = await evaluator.evaluate(weights, [last]);
  expect(await evaluator.evaluate(weights, [other])).toEqual(expected);
  expect((await evaluator.evaluate(weights, [whole])).nats).toBeGreaterThan(expected.nats + 1);
});
