import { referenceBackend } from "@finegrain/graph";
import { initialize, type ModelConfig, scalingLM } from "@finegrain/nn";
import { describe, expect, test } from "vitest";
import { allOf } from "../test/all-of.ts";
import { countingBackend } from "../test/counting-backend.ts";
import { createGenerator } from "./generator.ts";
import type { GenerateOptions } from "./shown.ts";
import { byteTokenizer } from "./tokenizer/index.ts";

const tokenizer = byteTokenizer();
const dense: ModelConfig = { vocabulary: 256, dModel: 16, dFf: 32, layers: 1, heads: 4, maxLength: 80 };
const sparse: ModelConfig = {
  ...dense,
  feedForward: { type: "sparse", blockSize: 4, rank: 4 },
  attention: { type: "multiplicative-convolutional", modules: 4 },
  recurrence: { layers: 1, units: 4 },
};
const model = scalingLM(dense);
const weights = initialize(model.params, 5);

/** Of the model itself, which is always right; one that is right now and then; and one that keeps states. */
const drafts = {
  itself: { model, weights },
  "another of its kind": {
    model,
    // As good as the model where both are sure of a token.
    weights: new Map(
      [...weights].map(([path, value]) => [
        path,
        { ...value, data: Float32Array.from(value.data, (x, i) => x + 0.1 * Math.sin(i)) },
      ]),
    ),
  },
  "a sparse one": { model: scalingLM(sparse), weights: initialize(scalingLM(sparse).params, 6) },
};

const cases: Record<string, GenerateOptions> = {
  greedy: { tokenizer, maxTokens: 40, temperature: 0 },
  "one token": { tokenizer, maxTokens: 1, seed: 2 },
  drawn: { tokenizer, maxTokens: 30, seed: 3 },
  "from the likely ones, to the context's end": { tokenizer, maxTokens: 99, seed: 4, topK: 3, temperature: 0.5 },
  "with penalties": { tokenizer, maxTokens: 25, temperature: 0, repetitionPenalty: 1.6, presencePenalty: 0.4 },
  "to an end token": { tokenizer, maxTokens: 40, seed: 8, endTokens: Array.from({ length: 20 }, (_, i) => i * 12) },
};

describe.each(Object.entries(drafts))("a text drafted by %s", (name, draft) => {
  test.each(Object.entries(cases))("%s, is what the model writes, and nothing is left", async (_, options) => {
    const { backend, seen } = countingBackend();
    await using alone = await createGenerator({ backend: referenceBackend(), model, weights });
    await using drafted = await createGenerator({ backend, model, weights, draft });
    const held = seen.held;
    for (const length of [1, 4, 21]) {
      const prompt = Int32Array.from({ length }, (_, i) => (i * i + length) % 256);
      const expected = await allOf(alone.generate(prompt, options));
      expect(await allOf(drafted.generate(prompt, options)), `${name}, ${length}`).toEqual(expected);
    }
    expect(seen.held).toBe(held);
  });
});

test("an abort ends a drafted text, and what it held is given back", async () => {
  const { backend, seen } = countingBackend();
  await using generator = await createGenerator({ backend, model, weights, draft: drafts["a sparse one"] });
  const held = seen.held;
  const stop = new AbortController();
  const pieces = [];
  for await (const piece of generator.generate(Int32Array.of(1, 2), {
    tokenizer,
    maxTokens: 50,
    signal: stop.signal,
  })) {
    pieces.push(piece);
    if (pieces.length === 5) stop.abort();
  }
  expect(pieces.at(-1)).toMatchObject({ end: "abort" });
  expect(seen.held).toBe(held);
});

test("what cannot be drafted is refused in a sentence", async () => {
  const backend = referenceBackend();
  const of = (config: ModelConfig) => ({ model: scalingLM(config), weights: initialize(scalingLM(config).params, 1) });
  const open = (own: ModelConfig, other: ModelConfig) => createGenerator({ backend, ...of(own), draft: of(other) });
  await expect(open(dense, { ...dense, vocabulary: 64 })).rejects.toThrow(
    "a model of 64 tokens cannot draft for one of 256: both need the same tokenizer",
  );
  await expect(open(dense, { ...dense, maxLength: 40 })).rejects.toThrow(
    "a model with a context of 40 tokens cannot draft for one of 80",
  );
  await expect(open(sparse, dense)).rejects.toThrow("let a dense model check");
  await using generator = await open(dense, sparse);
  const write = (options: Partial<GenerateOptions>) =>
    allOf(generator.generate(Int32Array.of(1), { tokenizer, maxTokens: 3, ...options }));
  await expect(write({ context: 20 })).rejects.toThrow("a text with a window that slides is not drafted");
  await expect(write({ logProbabilities: 2 })).rejects.toThrow("leave the draft away");
});
