import { evaluate, gradient, graph, hostTensor, input, mul, reduceSum } from "@finegrain/graph";
import { expect, test } from "vitest";
import {
  evaluation,
  feedForward,
  inChunks,
  initialize,
  type Layer,
  randomSource,
  sparseFeedForward,
  traceWeights,
  training,
} from "../src/index.ts";

const dimensions = { dModel: 4, dFf: 24 };
const time = 7;

/** A layer's training graph: its output, and the gradients of its input and weights. */
function trained(layer: Layer) {
  const { weights, stored } = traceWeights(layer.params, "float32");
  const inputs = Object.values(stored);
  const x = input([2, time, 4]);
  const random = randomSource(input([2], "int32"), input([], "int32"));
  const y = layer.apply(weights, x, training(random));
  const loss = reduceSum(mul(y, mul(y, y)), { axes: [0, 1, 2] });
  return graph({ inputs: [x, ...inputs], outputs: [y, ...gradient(loss, [x, ...inputs])] });
}

const values = (layer: Layer) => [
  hostTensor(
    "float32",
    [2, time, 4],
    Float64Array.from({ length: 8 * time }, (_, i) => Math.sin(i)),
  ),
  ...initialize(layer.params, 3).values(),
];

test("chunks of time give the layer's own output and gradients, also where the last is shorter", () => {
  const whole = feedForward(dimensions) as Layer;
  const expected = evaluate(trained(whole), values(whole));
  for (const chunk of [1, 2, 3, 6, 7, 9]) {
    const actual = evaluate(trained(inChunks(whole, chunk)), values(whole));
    for (const [i, { data }] of expected.entries())
      data.forEach((value: number, k: number) => {
        expect(actual[i]!.data[k]).toBeCloseTo(value, 5);
      });
  }
});

test("no hidden units are there for more tokens than a chunk has", () => {
  const most = (layer: Layer) => {
    const hidden = trained(layer).nodes.filter(({ shape }) => shape.length === 3 && shape.at(-1) === dimensions.dFf);
    return Math.max(...hidden.map(({ shape }) => shape[1]!));
  };
  expect(most(feedForward(dimensions) as Layer)).toBe(time);
  expect(most(inChunks(feedForward(dimensions) as Layer, 3))).toBe(3);
});

test("a layer with a loss of its own is refused in training, and evaluated", () => {
  const layer = inChunks(sparseFeedForward({ ...dimensions, blockSize: 4 }) as Layer, 3);
  expect(() => trained(layer)).toThrow("cannot be in a reversible block, nor be computed in chunks of time");
  const { weights } = traceWeights(layer.params, "float32");
  expect(layer.apply(weights, input([1, time, 4]), evaluation).shape).toEqual([1, time, 4]);
});
