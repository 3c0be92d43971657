import {
  bytesRead,
  evaluate,
  type Graph,
  gradient,
  graph,
  type HostTensor,
  hostTensor,
  input,
  mul,
  reduceSum,
  type Tensor,
  type TensorType,
} from "@finegrain/graph";
import { describe, expect, test } from "vitest";
import {
  type DecodedLayer,
  evaluation,
  initialize,
  leaves,
  type ModelConfig,
  mapParams,
  mapTree,
  type OneOfEachBlockParams,
  openLedger,
  presets,
  randomSource,
  scalingLM,
  sparseFeedForward,
  training,
  traxSparseFeedForward,
  type Weights,
} from "../src/index.ts";

const config = { dModel: 8, dFf: 24, blockSize: 4, rank: 3, temperature: 0.7 };

type Layer = ReturnType<typeof sparseFeedForward>;
type Build = (w: Weights<Layer["params"]>, x: Tensor, layer: Layer) => readonly Tensor[];

const layers = { sparse: () => sparseFeedForward(config), "trax-sparse": () => traxSparseFeedForward(config) };

/** What `build` makes of the layer with its first weights, of `tokens` drawn ones. */
function run(tokens: number, build: Build, make: () => Layer = layers.sparse) {
  const layer = make();
  const inputs: Tensor[] = [];
  const w = mapParams(layer.params, ({ shape }) => {
    inputs.push(input(shape));
    return inputs.at(-1)!;
  });
  const x = input([1, tokens, 8]);
  const values: HostTensor[] = [...initialize(layer.params, 3).values()];
  const data = Array.from({ length: tokens * 8 }, (_, i) => Math.sin(3 * i + 1));
  return evaluate(graph({ inputs: [...inputs, x], outputs: build(w, x, layer) }), [
    ...values,
    hostTensor("float32", [1, tokens, 8], data),
  ]);
}

describe.each(Object.entries(layers))("%s", (_, make) => {
  test.each([1, 3, 4, 5])("%d tokens are decoded as they are evaluated", (tokens) => {
    const [decoded, applied] = run(tokens, (w, x, layer) => [layer.decode(w, x), layer.apply(w, x, evaluation)], make);
    for (const [i, y] of applied!.data.entries()) expect(decoded!.data[i]).toBeCloseTo(y, 10);
  });
});

/** A training pass: its output, the gradients of the controller and of the inner matrix, and its losses. */
function trained(layer: DecodedLayer<OneOfEachBlockParams>, shape: readonly [number, number, number]) {
  const inputs: Tensor[] = [];
  const w = mapParams(layer.params, ({ shape }) => {
    inputs.push(input(shape));
    return inputs.at(-1)!;
  });
  const [x, key, counter] = [input(shape), input([2], "int32"), input([], "int32")];
  const ledger = openLedger();
  const y = layer.apply(w, x, training(randomSource(key, counter), ledger));
  const gradients = gradient(reduceSum(mul(y, y), { axes: [0, 1, 2] }), [w.controller.up, w.inner.kernel]);
  const losses = [...ledger.losses.values()];
  const program = graph({ inputs: [...inputs, x, key, counter], outputs: [y, ...gradients, ...losses] });
  const data = Array.from({ length: shape[0] * shape[1] * shape[2] }, (_, i) => Math.sin(3 * i + 1));
  return (step: number) =>
    evaluate(program, [
      ...initialize(layer.params, 3).values(),
      hostTensor("float32", shape, data),
      hostTensor("int32", [2], [7, 0]),
      hostTensor("int32", [], [step]),
    ]).map(({ data }) => [...data]);
}

describe("training as Trax does", () => {
  const at = (quantizeProbability: number, shape: readonly [number, number, number] = [1, 3, 8]) =>
    trained(traxSparseFeedForward({ ...config, quantizeProbability }), shape);

  test("draws anew in every step, and the same in the same one", () => {
    const hard = at(1);
    expect(hard(0)).toEqual(hard(0));
    expect(hard(1)[0]).not.toEqual(hard(0)[0]);
  });

  test("does not draw where nothing is quantised", () => {
    const soft = at(0);
    expect(soft(1)).toEqual(soft(0));
  });

  test("draws for each sequence whether it is quantised", () => {
    const shape = [6, 1, 8] as const;
    const [soft, mixed] = [at(0, shape)(0)[0]!, at(0.5, shape)(0)[0]!];
    const isSoft = Array.from({ length: 6 }, (_, b) => mixed.slice(8 * b, 8 * b + 8)).map((row, b) =>
      row.every((y, i) => Math.abs(y - soft[8 * b + i]!) < 1e-9),
    );
    expect(new Set(isSoft)).toEqual(new Set([true, false]));
  });

  test("reaches the controller through a hard choice too", () => {
    expect(at(1)(0)[1]!.some((g) => Math.abs(g) > 1e-6)).toBe(true);
  });
});

describe("training by the recipe of its own", () => {
  test("without noise computes what evaluation does", () => {
    const layer = sparseFeedForward({ ...config, temperature: 0 });
    const [y] = trained(layer, [1, 3, 8])(0);
    const [evaluated] = run(3, (w, x) => [layer.apply(w, x, evaluation)]);
    for (const [i, value] of evaluated!.data.entries()) expect(y![i]).toBeCloseTo(value, 10);
  });

  test("draws the choice anew in every step", () => {
    const noisy = trained(sparseFeedForward({ ...config, temperature: 5 }), [1, 3, 8]);
    expect(noisy(0)).toEqual(noisy(0));
    expect(noisy(1)[0]).not.toEqual(noisy(0)[0]);
  });

  test("the controller learns from units that are off, which themselves learn nothing", () => {
    const [, up, inner] = trained(sparseFeedForward({ ...config, temperature: 0 }), [1, 1, 8])(0);
    const unitsThatLearn = Array.from({ length: 24 }, (_, f) => inner!.slice(8 * f, 8 * f + 8).some((g) => g !== 0));
    expect(unitsThatLearn.filter(Boolean)).toHaveLength(6);
    // [R, F]: one column for a unit.
    const columns = Array.from({ length: 24 }, (_, f) => [0, 1, 2].some((r) => up![24 * r + f] !== 0));
    expect(columns.every(Boolean)).toBe(true);
  });

  test("its balance is at least the weight, which it is where units are used alike", () => {
    const [loss] = trained(sparseFeedForward({ ...config, balance: 0.5 }), [4, 8, 8])(0)[3]!;
    expect(loss).toBeGreaterThan(0.5 * 0.9);
    expect(loss).toBeLessThan(0.5 * 4);
    expect(trained(sparseFeedForward({ ...config, balance: 0 }), [1, 3, 8])(0)).toHaveLength(3);
  });
});

describe("bytes read in a decode step", () => {
  const decodeGraph = (model: ModelConfig): Graph => {
    const { params, caches, decode } = scalingLM(model);
    const inputs: Tensor[] = [];
    const fresh = ({ shape, dtype }: TensorType): Tensor => {
      inputs.push(input(shape, dtype));
      return inputs.at(-1)!;
    };
    const w = mapParams(params, ({ shape }) => fresh({ shape, dtype: "float32" }));
    const kept = mapTree<TensorType, Tensor>(caches(1, 64), fresh);
    const step = decode(w, fresh({ shape: [1, 1], dtype: "int32" }), kept, fresh({ shape: [], dtype: "int32" }));
    const next = leaves<Tensor>(step.caches).map(([, tensor]) => tensor);
    return graph({ name: "decode", inputs, outputs: [step.logits, ...next] });
  };

  test("a sparse feed-forward layer reads one row of each matrix for a block", () => {
    const [dFf, dModel, layers] = [256, 32, 3];
    const dense: ModelConfig = { vocabulary: 16, dModel, dFf, layers, heads: 2, maxLength: 64 };
    const sparse: ModelConfig = { ...dense, feedForward: { type: "sparse", blockSize: 16, rank: 2 } };
    const whole = layers * (2 * dFf * dModel + dFf); // both matrices and the inner bias
    const rows = layers * (2 * (dFf / 16) * dModel + 2 * (dModel + dFf) + dFf); // chosen rows and the controller
    expect(bytesRead(decodeGraph(dense)) - bytesRead(decodeGraph(sparse))).toBe(4 * (whole - rows));
  });

  test("at the paper's 800M dimensions the sparse model reads less than a sixth", () => {
    const [dense, sparse] = [presets["paper-800m-dense"], presets["paper-800m-sparse"]].map((config) =>
      bytesRead(decodeGraph(config)),
    ) as [number, number];
    expect(sparse).toBeLessThan(dense / 6);
  });
});
