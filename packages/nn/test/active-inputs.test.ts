import { describe, expect, test } from "vitest";
import { type ActiveInputs, leaves, MATRIX_INPUTS, type ModelConfig, type Param, scalingLM } from "../src/index.ts";
import { base, decoded, full } from "./small-model.ts";

const plain: ModelConfig = { ...base, norm: "rms", activation: "swiglu", positions: "rotary" };
/** Every input of both blocks, by its least magnitude. */
const withLeast = (least: number): ModelConfig => {
  const block = Object.fromEntries(MATRIX_INPUTS.map((name) => [name, { least, share: 0.5 }])) as ActiveInputs;
  return { ...plain, activeInputs: [block, block] };
};

describe("a model whose small inputs count as zeros", () => {
  test("is the dense one where everything is large enough", () => {
    expect(full(withLeast(0))).toEqual(full(plain));
  });

  test("is another one where not, and decodes token by token what its full pass says", () => {
    const config = withLeast(0.3);
    const expected = full(config);
    for (const [row, logits] of decoded(config, [1, 1, 2, 1, 1]).entries())
      for (const [i, x] of logits.entries()) expect(x).toBeCloseTo(expected[[0, 1, 3, 4, 5][row]!]![i]!, 8);
    const dense = full(plain);
    expect(Math.max(...expected.at(-1)!.map((x, i) => Math.abs(x - dense.at(-1)![i]!)))).toBeGreaterThan(0.01);
  });

  test.each(MATRIX_INPUTS)("has each input's filter where it is said: %s", (name) => {
    const config = { ...plain, activeInputs: [{ [name]: { least: 0.3, share: 0.5 } }, {}] };
    expect(full(config)).not.toEqual(full(plain));
    const skipping = leaves<Param>(scalingLM(config).params).filter(([, { skipsZeros }]) => skipsZeros);
    const matrices = {
      attention: ["attention.query", "attention.key", "attention.value"],
      attentionOutput: ["attention.output"],
      feedForward: ["feedForward.inner", "feedForward.gate"],
      feedForwardOutput: ["feedForward.outer"],
    }[name];
    expect(skipping.map(([path]) => path)).toEqual(matrices.map((matrix) => `blocks.0.${matrix}.kernel`));
  });

  test("has the dense one's weights", () => {
    const shapes = (config: ModelConfig) =>
      leaves<Param>(scalingLM(config).params).map(([path, { shape }]) => [path, shape]);
    expect(shapes(withLeast(0.3))).toEqual(shapes(plain));
  });
});

const [active, none] = [{ least: 0.1, share: 0.5 }, {}];
test.each<[object, string]>([
  [{ activeInputs: [none] }, "activeInputs must be a list with an entry for each of the 2 blocks"],
  [{ activeInputs: [none, { query: active }] }, 'there is no "activeInputs[1].query"'],
  [{ activeInputs: [{ attention: { share: 0.5 } }, none] }, "activeInputs[0].attention.least must be a number of at"],
  [{ activeInputs: [{ attention: { least: 1, share: 0 } }, none] }, "activeInputs[0].attention.share must be above 0"],
  [
    { activeInputs: [none, none], activation: undefined, feedForward: { type: "sparse", blockSize: 4 } },
    "activeInputs are of dense layers, not of sparse ones",
  ],
  [
    { activeInputs: [none, none], student: { feedForward: { type: "sparse", blockSize: 4 } } },
    "activeInputs are for models without a student",
  ],
])("%j is refused", (other, says) => {
  expect(() => scalingLM({ ...plain, ...other } as ModelConfig)).toThrow(says);
});
