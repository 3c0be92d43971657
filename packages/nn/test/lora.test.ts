import { atOnce, evaluate, graph, type HostTensor, hostTensor, input } from "@finegrain/graph";
import { describe, expect, test } from "vitest";
import { evaluation, initialize, type LanguageModel, scalingLM, traceWeights, writtenWeights } from "../src/index.ts";

const plain = { vocabulary: 11, dModel: 8, dFf: 12, layers: 2, heads: 2, maxLength: 6 } as const;
const tokens = hostTensor("int32", [1, 6], [1, 5, 2, 7, 3, 9]);

function logitsOf(model: LanguageModel, weights: ReadonlyMap<string, HostTensor>): number[] {
  const { weights: w, stored } = traceWeights(model.params, "float32");
  const given = input([1, 6], "int32", "tokens");
  const pass = graph({
    name: "logits",
    inputs: { stored, given },
    outputs: { logits: model.logits(w, given, evaluation) },
  });
  return [...evaluate(pass, { stored: Object.fromEntries(weights), given: tokens }).logits.data];
}

/** Other weights in place of the zeros. */
const moved = (weights: ReadonlyMap<string, HostTensor>) =>
  new Map(
    [...weights].map(([path, { shape, data }]) => [
      path,
      path.endsWith(".lora.b")
        ? hostTensor(
            "float32",
            shape,
            Float32Array.from(data, (_, i) => Math.sin(i) / 3),
          )
        : hostTensor("float32", shape, data),
    ]),
  );

describe.each<[string, object, number]>([
  ["all matrices", {}, 6],
  ["some of them", { matrices: ["query", "value"], alpha: 3 }, 2],
])("LoRA of %s", (_, own, perBlock) => {
  const lora = { rank: 2, ...own };
  const model = scalingLM({ ...plain, lora });
  const weights = initialize(model.params, 3);

  test("begins as the model was, and trains nothing else", () => {
    expect(logitsOf(model, weights)).toEqual(logitsOf(scalingLM(plain), initialize(scalingLM(plain).params, 3)));
    const trained = [...weights.keys()].filter((path) => model.isTrained!(path));
    expect(trained).toHaveLength(2 * 2 * perBlock);
    for (const path of trained) expect(path).toMatch(/^blocks\.\d\.\w+\.\w+\.lora\.[ab]$/);
  });

  test("merged is the model with it", () => {
    const [before, after] = [weights, moved(weights)];
    const merged = atOnce(writtenWeights({ ...plain, lora }, after));
    expect([...merged.keys()]).toEqual([...initialize(scalingLM(plain).params, 3).keys()]);
    const [with_, without] = [logitsOf(model, after), logitsOf(scalingLM(plain), merged)];
    for (const [i, value] of without.entries()) expect(with_[i]).toBeCloseTo(value, 5);
    expect(with_).not.toEqual(logitsOf(model, before));
  });
});

test.each<[object, string]>([
  [{ rank: 0 }, "lora.rank must be a positive integer, not 0"],
  [{ rank: 2, alpha: 0 }, "lora.alpha must be greater than 0, not 0"],
  [
    { rank: 2, matrices: ["kernel"] },
    'lora.matrices must be some of query, key, value, output, inner, gate, outer, not "kernel"',
  ],
  [{ rank: 2, matrices: [] }, "lora.matrices must be some of query, key, value, output, inner, gate, outer, not none"],
  [{ rank: 2, matrices: ["gate"] }, "no block has any of lora.matrices gate"],
])("%j is refused", (lora, says) => {
  expect(() => scalingLM({ ...plain, lora: lora as never })).toThrow(says);
});
