import { evaluate, graph, type HostTensor, hostTensor, input, type Tensor } from "@finegrain/graph";
import { describe, expect, test } from "vitest";
import {
  type Context,
  evaluation,
  expertChoice,
  groupedFeedForward,
  initialize,
  type Layer,
  mapParams,
  mixtureOfTokens,
  openLedger,
  type Params,
  tokenChoice,
} from "../src/index.ts";

const [BATCH, TIME, D] = [4, 6, 8];
const shape = { dModel: D, dFf: 32, experts: 4 };

/** Values that are no one's neighbours. */
const noise = (seed: number): number[] =>
  Array.from({ length: BATCH * TIME * D }, (_, i) => Math.sin(12.9898 * (i + 1) + 78.233 * seed) * 1.7);

/** A layer's outputs of `values`, and its metrics. */
function run<P extends Params>(
  layer: Layer<P>,
  values: readonly number[],
): { y: number[]; metrics: Map<string, number> } {
  const inputs: Tensor[] = [];
  const w = mapParams(layer.params, ({ shape: own }) => {
    const x = input(own);
    inputs.push(x);
    return x;
  });
  const x = input([BATCH, TIME, D]);
  const ledger = openLedger();
  const context: Context = { ...evaluation, ledger };
  const y = layer.apply(w, x, context);
  const names = [...ledger.metrics.keys()];
  const given: HostTensor[] = [
    ...initialize(layer.params, 3).values(),
    hostTensor("float32", [BATCH, TIME, D], Float32Array.from(values)),
  ];
  const [first, ...rest] = evaluate(graph({ inputs: [...inputs, x], outputs: [y, ...ledger.metrics.values()] }), given);
  return { y: [...first!.data], metrics: new Map(names.map((name, i) => [name, rest[i]!.data[0]!])) };
}

/** Largest change of outputs at positions before the last two of one sequence, when those change. */
function leak<P extends Params>(layer: Layer<P>): number {
  const [before, changed] = [noise(1), noise(1)];
  const other = noise(2);
  const from = (1 * TIME + TIME - 2) * D;
  for (let i = from; i < 2 * TIME * D; i++) changed[i] = other[i]!;
  const [a, b] = [run(layer, before).y, run(layer, changed).y];
  return Math.max(...a.slice(TIME * D, from).map((x, i) => Math.abs(x - b[TIME * D + i]!)));
}

// Layers of other parameters stand side by side in the tables below as layers of any, which the compiler takes by a cast only.
const groups = { ...shape, groupSize: 2 };
describe("later tokens do not reach earlier ones where a layer says that it is causal", () => {
  test.each<[string, Layer]>([
    ["grouped across the batch", groupedFeedForward(groups) as Layer],
    ["mixture of tokens across the batch", mixtureOfTokens(groups) as Layer],
    ["expert choice by batch", expertChoice(shape) as Layer],
    ["expert choice by batch, softmax over tokens", expertChoice({ ...shape, softmaxOver: "tokens" }) as Layer],
    ["token choice, with drops", tokenChoice({ ...shape, capacityFactor: 0.5 }) as Layer],
  ])("%s", (_, layer) => {
    expect(layer.notCausal).toBeUndefined();
    expect(leak(layer)).toBe(0);
  });

  test.each<[string, Layer]>([
    ["grouped along time", groupedFeedForward({ ...shape, groupSize: 6, groupAlong: "time" }) as Layer],
    ["mixture of tokens along time", mixtureOfTokens({ ...shape, groupSize: 6, groupAlong: "time" }) as Layer],
    ["expert choice over all", expertChoice({ ...shape, choiceOver: "all", softmaxOver: "tokens" }) as Layer],
  ])("%s is not, and says so", (_, layer) => {
    expect(layer.notCausal).toMatch(/later/);
    expect(leak(layer)).toBeGreaterThan(0);
  });
});

describe("metrics", () => {
  test("a capacity of less than what tokens ask for drops some, by position", () => {
    const { y, metrics } = run(tokenChoice({ ...shape, capacityFactor: 0.5 }), noise(1));
    expect(metrics.get("droppedTokens")).toBeGreaterThanOrEqual(0.5);
    const rows = Array.from({ length: BATCH * TIME }, (_, n) => y.slice(n * D, (n + 1) * D).some((x) => x !== 0));
    expect(rows.filter((is) => !is).length / rows.length).toBeCloseTo(metrics.get("droppedTokens")!, 6);
    // No token of the first position is dropped while one of the last is kept by an expert that it asked for.
    const kept = (t: number) => Array.from({ length: BATCH }, (_, b) => rows[b * TIME + t]).filter(Boolean).length;
    expect(kept(0)).toBeGreaterThanOrEqual(kept(TIME - 1));
  });

  test("room for all drops none", () => {
    expect(run(tokenChoice({ ...shape, capacityFactor: 4 }), noise(1)).metrics.get("droppedTokens")).toBe(0);
  });

  test("the load of experts that choose is even, and entropy is between 0 and that of a coin toss among all", () => {
    const { metrics } = run(expertChoice(shape), noise(1));
    expect(metrics.get("expertLoad.max")).toBe(1);
    expect(metrics.get("expertLoad.min")).toBe(1);
    expect(metrics.get("routerEntropy")).toBeGreaterThan(0);
    expect(metrics.get("routerEntropy")).toBeLessThanOrEqual(Math.log(4));
  });

  test("a ledger adds losses and averages metrics of several layers", () => {
    const ledger = openLedger();
    const two = [1, 2].map((value) => input([], "float32", `${value}`));
    for (const value of two) {
      ledger.loss("a", value);
      ledger.metric("b", value);
    }
    const outputs = [ledger.losses.get("a")!, ledger.metrics.get("b")!];
    const found = evaluate(graph({ inputs: two, outputs }), [
      hostTensor("float32", [], [1]),
      hostTensor("float32", [], [2]),
    ]);
    expect(found.map(({ data }) => data[0])).toEqual([3, 1.5]);
  });
});

test.each([
  [
    "feed-forward layer: batch 4 is not a multiple of groupSize 3",
    groupedFeedForward({ ...shape, groupSize: 3 }) as Layer,
  ],
  [
    "expertChoice: each of 4 experts would take 0 of 4 tokens with a capacityFactor of 0.25",
    expertChoice({ ...shape, capacityFactor: 0.25 }) as Layer,
  ],
])("%s", (message, layer) => {
  expect(() => run(layer, noise(1))).toThrow(message);
});

test("nothing is shuffled in evaluation", () => {
  const config = { ...shape, groupSize: 6, groupAlong: "time" } as const;
  const still = run(mixtureOfTokens(config), noise(1)).y;
  expect(run(mixtureOfTokens({ ...config, shuffle: "all" }), noise(1)).y).toEqual(still);
});
