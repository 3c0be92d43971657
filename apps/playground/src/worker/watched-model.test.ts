import { byteTokenizer, createGenerator } from "@finegrain/generate";
import { referenceBackend } from "@finegrain/graph";
import { initialize, type ModelConfig, type Storage, scalingLM } from "@finegrain/nn";
import { expect, test } from "vitest";
import { type ReadToken, watchedModel } from "./watched-model.ts";

const dense: ModelConfig = { vocabulary: 256, dModel: 16, dFf: 32, layers: 2, heads: 2, maxLength: 12 };
const PROMPT = Int32Array.of(72, 101, 108);

async function read(config: ModelConfig, count: number, storage: Storage = "float32"): Promise<ReadToken[]> {
  const backend = referenceBackend();
  const model = scalingLM(config);
  const weights = initialize(model.params, 1);
  const options = { name: "small", backend, model, tokenizer: byteTokenizer(), weights, storage };
  await using watched = await watchedModel({ ...options, bitsPerByte: undefined });
  const tokens: ReadToken[] = [];
  for await (const token of watched.write(PROMPT, { temperature: 0 })) {
    tokens.push(token);
    if (tokens.length === count) break;
  }
  return tokens;
}

test.each(["sparse", "trax-sparse"] as const)("a layer of type %s shows a unit of every block", async (type) => {
  const tokens = await read({ ...dense, feedForward: { type, blockSize: 4 } }, 5);
  for (const { units } of tokens) {
    expect(units).toHaveLength(2 * 8);
    expect(Array.from(units!, (unit) => Math.floor(unit / 4))).toEqual([...Array(16).keys()].map((k) => k % 8));
  }
});

test("a dense layer shows none, since all of its units are on", async () => {
  for (const { units } of await read(dense, 5)) expect(units).toBeUndefined();
});

test("a watched model writes what it writes unwatched, and goes on where its context ends", async () => {
  const config: ModelConfig = { ...dense, feedForward: { type: "sparse", blockSize: 4 } };
  const model = scalingLM(config);
  const options = { backend: referenceBackend(), model, weights: initialize(model.params, 1) };
  await using generator = await createGenerator(options);
  const unwatched: number[] = [...PROMPT];
  using session = generator.start();
  for await (const { token } of session.write(PROMPT, { temperature: 0 })) unwatched.push(token);
  const watched = await read(config, 30);
  expect(watched.map(({ token }) => token).slice(0, 12)).toEqual(unwatched.slice(0, 12));
  expect(watched.map(({ isPrompt }) => isPrompt)).toEqual(Array.from({ length: 30 }, (_, i) => i < PROMPT.length));
});
