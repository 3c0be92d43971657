import { referenceBackend } from "@finegrain/graph";
import { initialize, type ModelConfig, scalingLM } from "@finegrain/nn";
import { describe, expect, test } from "vitest";
import { forward } from "../test/full-pass.ts";
import { createGenerator } from "./generator.ts";
import { capacityFor } from "./stream.ts";

const dense: ModelConfig = { vocabulary: 24, dModel: 16, dFf: 32, layers: 2, heads: 4, maxLength: 128 };
const sparse: ModelConfig = {
  ...dense,
  feedForward: { type: "sparse", blockSize: 4, rank: 4 },
  attention: { type: "multiplicative-convolutional", modules: 4 },
  loss: { type: "multiplicative", modules: 4 },
};

describe.each(Object.entries({ dense, sparse }))("a %s model of 2 layers", (_, config) => {
  const model = scalingLM(config);
  const weights = initialize(model.params, 5);
  const tokens = Int32Array.from({ length: 100 }, (_, i) => (i * i + 3) % config.vocabulary);
  const expected = forward(model, weights, tokens);

  // 13 and 14 are read in two runs of 8, where tokens can be read again; 61 + 4 passes the first caches' 64 places, and 73 = 64 + 8 + 1 starts beyond.
  test.each([
    { prompts: [13, 5], steps: 3 },
    { prompts: [47, 14], steps: 6 },
    { prompts: [73], steps: 2 },
    { prompts: [3, 92], steps: 5 },
  ])("reads $prompts tokens, then $steps one by one, as one pass over all", async ({ prompts, steps }) => {
    await using generator = await createGenerator({ backend: referenceBackend(), model, weights });
    using session = generator.start();
    for (const count of [...prompts, ...new Array<number>(steps).fill(1)]) {
      const from = session.position;
      const logits = await session.prefill(tokens.subarray(from, from + count));
      expect(session.position).toBe(from + count);
      const row = expected[from + count - 1]!;
      expect(logits.length).toBe(row.length);
      for (const [i, x] of logits.entries()) expect(x, `after ${from + count} tokens`).toBeCloseTo(row[i]!, 4);
    }
  });

  test("what is refused leaves the stream as it was", async () => {
    await using generator = await createGenerator({ backend: referenceBackend(), model, weights });
    using session = generator.start();
    await session.prefill(tokens.subarray(0, 9));
    await expect(session.prefill(new Int32Array(120))).rejects.toThrow(
      "129 tokens do not fit into the model's context of 128",
    );
    await expect(session.prefill(new Int32Array(0))).rejects.toThrow("the prompt is empty");
    await expect(session.step(-1)).rejects.toThrow("token -1 is outside the model's vocabulary of 24");
    expect(session.position).toBe(9);
    const logits = await session.step(tokens[9]!);
    for (const [i, x] of logits.entries()) expect(x).toBeCloseTo(expected[9]![i]!, 4);
  });
});

test("room doubles from 64 up to the model's context", () => {
  expect([1, 64, 65, 128, 129].map((needed) => capacityFor(needed, 1000))).toEqual([64, 64, 128, 128, 256]);
  expect(capacityFor(600, 1000)).toBe(1000);
  expect(capacityFor(1, 16)).toBe(16);
});
