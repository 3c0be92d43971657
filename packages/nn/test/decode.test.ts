import { describe, expect, test } from "vitest";
import type { ModelConfig } from "../src/index.ts";
import { base, decoded, full } from "./small-model.ts";

/** Parts together; each alone is in layers.test.ts, from the catalogs. */
const variants: Record<string, Partial<ModelConfig>> = {
  dense: {},
  "RMSNorm, SwiGLU, rotary positions": { norm: "rms", activation: "swiglu", positions: "rotary" },
  "sparse everywhere": {
    feedForward: { type: "sparse", blockSize: 4 },
    attention: { type: "multiplicative-convolutional", modules: 2 },
    loss: { type: "multiplicative", modules: 3 },
    recurrence: { layers: 2, units: 3 },
  },
};

describe.each(Object.entries(variants))("%s", (_, variant) => {
  const config = { ...base, ...variant };
  const expected = full(config);
  const close = (actual: number[], row: number) =>
    actual.forEach((x, i) => {
      expect(x).toBeCloseTo(expected[row]![i]!, 8);
    });

  test("decoding token by token equals the full pass", () => {
    decoded(config, [1, 1, 1, 1, 1, 1]).forEach(close);
  });

  test("a prompt may come in chunks of any length", () => {
    const [prompt, next] = decoded(config, [5, 1]);
    close(prompt!, 4);
    close(next!, 5);
  });
});

test("a masked language model has no decode", () => {
  expect(() => decoded({ ...base, objective: "masked" }, [1])).toThrow("a masked language model has no decode");
});
