import { evaluate, graph, hostTensor, input } from "@finegrain/graph";
import { expect, test } from "vitest";
import { type WeightedCrossEntropyOptions, weightedAccuracy, weightedCrossEntropy } from "./losses.ts";

const logits = [
  [2, 0, -1],
  [0.5, 1, 0],
  [0, 0, 3],
];
const [targets, weights] = [
  [0, 2, 1],
  [1, 0.5, 0],
];
const values = [
  hostTensor("float32", [3, 3], logits.flat()),
  hostTensor("int32", [3], targets),
  hostTensor("float32", [3], weights),
];
const given = { logits: input([3, 3]), targets: input([3], "int32"), weights: input([3]) };
const lossOf = (loss: ReturnType<typeof weightedCrossEntropy>) =>
  evaluate(graph({ inputs: Object.values(given), outputs: [loss] }), values)[0]!.data[0]!;

test.each<WeightedCrossEntropyOptions>([{}, { labelSmoothing: 0.3 }, { cutoff: 0.5 }])(
  "with %j the surprise is a mean over what counts",
  (options) => {
    const { labelSmoothing = 0, cutoff = 0 } = options;
    const nats = logits.map((row, i) => {
      const total = row.reduce((sum, x) => sum + Math.exp(x), 0);
      const share = (k: number) => labelSmoothing / 3 + (k === targets[i] ? 1 - labelSmoothing : 0);
      return row.reduce((sum, x, k) => sum - share(k) * (x - Math.log(total)), 0);
    });
    const above = nats.map((x) => (cutoff > 0 ? Math.max(x, cutoff) - cutoff : x));
    const expected = (above[0]! + 0.5 * above[1]!) / 1.5;
    expect(lossOf(weightedCrossEntropy(given, options))).toBeCloseTo(expected, 6);
  },
);

test("accuracy counts what weighs", () => {
  expect(lossOf(weightedAccuracy(given))).toBeCloseTo(1 / 1.5, 6);
});

test("refuses what cannot be", () => {
  expect(() => weightedCrossEntropy(given, { labelSmoothing: 2 })).toThrow("from 0 to 1, not 2");
  expect(() => weightedAccuracy({ ...given, weights: input([2]) })).toThrow("there is one weight for each target");
});
