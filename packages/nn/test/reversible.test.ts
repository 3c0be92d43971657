import { add, evaluate, gradient, graph, hostTensor, input, mul, reduceSum, type Tensor } from "@finegrain/graph";
import { expect, test } from "vitest";
import {
  dropout,
  evaluation,
  feedForward,
  inChunks,
  initialize,
  type Layer,
  mapParams,
  openLedger,
  type Params,
  type RandomSource,
  randomSource,
  reversibleSerial,
  tokenChoice,
  training,
  traxSparseFeedForward,
  type Weights,
} from "../src/index.ts";

const dimensions = { dModel: 4, dFf: 8 };
const dropped = feedForward(dimensions) as Layer;
const branches: readonly Layer[] = [
  feedForward(dimensions) as Layer,
  inChunks(traxSparseFeedForward({ ...dimensions, blockSize: 2 }) as Layer, 2),
  { ...dropped, apply: (w, x, context) => dropout(dropped.apply(w, x, context), context, { rate: 0.4 }) },
  traxSparseFeedForward({ ...dimensions, blockSize: 4 }) as Layer,
  feedForward(dimensions) as Layer,
];
const serial = reversibleSerial(branches);

/** Both streams and the gradients of weights, through the blocks or through plain residuals. */
function results(isPlain: boolean): number[][] {
  const weights: Tensor[] = [];
  const w = mapParams(serial.params as Params, ({ shape }) => {
    const x = input(shape);
    weights.push(x);
    return x;
  }) as Record<string, Weights<Params>>;
  const [x1, x2] = [input([1, 3, 4]), input([1, 3, 4])];
  const [key, counter] = [input([2], "int32"), input([], "int32")];
  const context = training(randomSource(key, counter));
  let [y1, y2] = [x1, x2];
  if (isPlain)
    for (const [i, branch] of branches.entries()) [y1, y2] = [y2, add(y1, branch.apply(w[`${i}`]!, y2, context))];
  else [y1, y2] = serial.apply(w, [x1, x2], context);
  const loss = reduceSum(mul(y1, mul(y2, y2)), { axes: [0, 1, 2] });
  const stream = (seed: number) =>
    hostTensor(
      "float32",
      [1, 3, 4],
      Float64Array.from({ length: 12 }, (_, i) => Math.sin(seed + i)),
    );
  return evaluate(
    graph({ inputs: [...weights, x1, x2, key, counter], outputs: [y1, y2, ...gradient(loss, weights)] }),
    [
      ...initialize(serial.params as Params, 2).values(),
      stream(1),
      stream(2),
      hostTensor("int32", [2], [3, 4]),
      hostTensor("int32", [], [5]),
    ],
  ).map(({ data }) => [...data]);
}

test("reversible blocks are residuals with the same draws in both passes", () => {
  const [expected, actual] = [results(true), results(false)];
  expect(actual).toHaveLength(expected.length);
  for (const [i, row] of expected.entries())
    for (const [k, value] of row.entries()) expect(actual[i]![k]).toBeCloseTo(value, 6);
});

test("a layer with a loss of its own is refused", () => {
  const { params, apply } = reversibleSerial([tokenChoice({ ...dimensions, experts: 2 }) as Layer]);
  const w = mapParams(params as Params, ({ shape }) => input(shape)) as Record<string, Weights<Params>>;
  const x = input([1, 4, 4]);
  expect(() => apply(w, [x, x], { ...evaluation, ledger: openLedger() })).toThrow("cannot be in a reversible block");
});

test("dropout keeps the mean, and drops nothing in evaluation", () => {
  const draws = hostTensor("float32", [4], [0.1, 0.9, 0.3, 0.7]);
  const u = input([4]);
  const random: RandomSource = { uniform: () => u };
  const x = input([4]);
  const [dropped] = evaluate(graph({ inputs: [u, x], outputs: [dropout(x, training(random), { rate: 0.25 })] }), [
    draws,
    hostTensor("float32", [4], [3, 3, 3, 3]),
  ]);
  expect([...dropped!.data]).toEqual([4, 0, 4, 4]);
  expect(dropout(x, evaluation, { rate: 0.25 })).toBe(x);
});
