import { referenceBackend } from "@finegrain/graph";
import { initialize, type ModelConfig, scalingLM } from "@finegrain/nn";
import { describe, expect, test } from "vitest";
import { allOf } from "../test/all-of.ts";
import { countingBackend } from "../test/counting-backend.ts";
import { createGenerator } from "./generator.ts";
import type { GenerateOptions } from "./shown.ts";
import { byteTokenizer } from "./tokenizer/index.ts";

const tokenizer = byteTokenizer();
const dense: ModelConfig = { vocabulary: 256, dModel: 16, dFf: 32, layers: 2, heads: 4, maxLength: 100 };
const sparse: ModelConfig = {
  ...dense,
  feedForward: { type: "sparse", blockSize: 4, rank: 4 },
  attention: { type: "multiplicative-convolutional", modules: 4 },
  loss: { type: "multiplicative", modules: 4 },
};

/** Prompts of other lengths, and texts of other lengths that are drawn in other ways. */
const lengths = [1, 9, 40, 2, 70, 5, 17];
const prompts = lengths.map((length, k) => Int32Array.from({ length }, (_, i) => (i * i + 3 * k) % 256));
const options: GenerateOptions[] = [
  { tokenizer, maxTokens: 12, seed: 4 },
  { tokenizer, maxTokens: 1, seed: 5 },
  { tokenizer, maxTokens: 40, temperature: 0 },
  { tokenizer, maxTokens: 90, seed: 6, topK: 20 },
  { tokenizer, maxTokens: 99, seed: 2 ** 40 },
  { tokenizer, maxTokens: 7, temperature: 0, repetitionPenalty: 1.4, logProbabilities: 2 },
  {
    tokenizer,
    maxTokens: 30,
    seed: 8,
    repetitionPenalty: 1.2,
    endTokens: Array.from({ length: 20 }, (_, i) => i * 12),
  },
];

describe.each(Object.entries({ dense, sparse }))("texts of a %s model", (_, config) => {
  const model = scalingLM(config);
  const weights = initialize(model.params, 5);

  test.each([1, 3, 8])("of %d streams are each what the prompt gives by itself", async (streams) => {
    await using generator = await createGenerator({ backend: referenceBackend(), model, weights, streams });
    const expected = await Promise.all(prompts.map((prompt, i) => allOf(generator.generate(prompt, options[i]!))));
    const found = prompts.map((): unknown[] => []);
    for await (const { prompt, ...piece } of generator.generateAll(prompts, options)) found[prompt]!.push(piece);
    expect(found).toEqual(expected);
    expect(new Set(expected.map((pieces) => pieces.at(-1)!.end))).toEqual(
      new Set(["maxTokens", "context", "endToken"]),
    );
  });
});

const model = scalingLM(sparse);
const weights = initialize(model.params, 5);

test("a text that ends frees its stream for the next prompt, few graphs serve all, and what they were given is given back", async () => {
  const { backend, seen } = countingBackend();
  await using generator = await createGenerator({ backend, model, weights, streams: 3 });
  const before = seen.held;
  const order: string[] = [];
  const short = lengths.map((_, i) => ({ tokenizer, maxTokens: [2, 40, 40, 2, 2, 2, 2][i]!, seed: i }));
  for await (const { prompt, end } of generator.generateAll(
    prompts.map((prompt) => prompt.subarray(0, 4)),
    short,
  ))
    order.push(end ? `end of ${prompt}` : `${prompt}`);
  // The two long texts go on beside all of the short ones, which follow each other.
  expect(order.filter((told) => told.startsWith("end"))).toEqual([0, 3, 4, 5, 6, 1, 2].map((i) => `end of ${i}`));
  expect(seen.compiled.filter((name) => name.startsWith("write"))).toEqual([
    "write of 3 streams at 64",
    "write of 2 streams at 64",
  ]);
  expect(seen.held).toBe(before);
});

test("an abort ends its own text, those that are to come too, and no other", async () => {
  const { backend, seen } = countingBackend();
  await using generator = await createGenerator({ backend, model, weights, streams: 2 });
  const before = seen.held;
  const controller = new AbortController();
  const aborted = { tokenizer, maxTokens: 50, signal: controller.signal };
  const all = [aborted, { tokenizer, maxTokens: 9 }, aborted];
  const ends: unknown[] = [];
  for await (const { prompt, text, end, token } of generator.generateAll(prompts.slice(0, 3), all)) {
    controller.abort();
    if (end) ends.push([prompt, end, token === undefined && text]);
  }
  expect(ends).toEqual([
    [0, "abort", ""],
    [2, "abort", ""],
    [1, "maxTokens", false],
  ]);
  expect(seen.held).toBe(before);
});

test("those who look away leave nothing behind", async () => {
  const { backend, seen } = countingBackend();
  await using generator = await createGenerator({ backend, model, weights, streams: 3 });
  const before = seen.held;
  for await (const { prompt } of generator.generateAll(prompts, { tokenizer, maxTokens: 9 })) if (prompt === 1) break;
  {
    using session = generator.start();
    await session.prefill(Int32Array.of(1)); // what was under way is over then
  }
  expect(seen.held).toBe(before);
});

test("refuses what cannot be before anything is written", async () => {
  const { backend, seen } = countingBackend();
  await using generator = await createGenerator({ backend, model, weights, streams: 2 });
  const usual = { tokenizer, maxTokens: 3 };
  const written = (given: Int32Array[], own: GenerateOptions | GenerateOptions[]) =>
    allOf(generator.generateAll(given, own));
  const good = Int32Array.of(1, 2);
  await expect(written([good, new Int32Array(0)], usual)).rejects.toThrow("the prompt is empty");
  await expect(written([good, Int32Array.of(300)], usual)).rejects.toThrow(
    "token 300 is outside the model's vocabulary",
  );
  await expect(written([good], [usual, usual])).rejects.toThrow(
    "1 prompts need as many options, or one for all, not 2",
  );
  await expect(written([good], { ...usual, context: 50 })).rejects.toThrow("none has a window that slides");
  await expect(written([good, good], [usual, { ...usual, temperature: -1 }])).rejects.toThrow("temperature");
  expect(await written([], usual)).toEqual([]);
  expect(seen.compiled).toEqual([]);
  await expect(createGenerator({ backend, model, weights, streams: 0 })).rejects.toThrow(
    "the streams of a generator must be a whole number of at least 1, not 0",
  );
});
