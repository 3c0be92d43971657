import {
  bytesRead,
  evaluate,
  type Graph,
  gradient,
  graph,
  type HostTensor,
  hostTensor,
  input,
  reduceSum,
  type Tensor,
  type TensorType,
} from "@finegrain/graph";
import { describe, expect, test } from "vitest";
import {
  evaluation,
  initialize,
  leaves,
  type ModelConfig,
  mapParams,
  mapTree,
  presets,
  randomSource,
  scalingLM,
  sparseFeedForward,
  training,
  type Weights,
} from "../src/index.ts";

const config = { dModel: 8, dFf: 24, blockSize: 4, rank: 3, temperature: 0.7 };

type Layer = ReturnType<typeof sparseFeedForward>;
type Build = (w: Weights<Layer["params"]>, x: Tensor, layer: Layer) => readonly Tensor[];

/** What `build` makes of the layer with its first weights, of `tokens` drawn ones. */
function run(tokens: number, build: Build) {
  const layer = sparseFeedForward(config);
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

test.each([1, 3, 4, 5])("%d tokens are decoded as they are evaluated", (tokens) => {
  const [decoded, applied] = run(tokens, (w, x, layer) => [layer.decode(w, x), layer.apply(w, x, evaluation)]);
  for (const [i, y] of applied!.data.entries()) expect(decoded!.data[i]).toBeCloseTo(y, 10);
});

describe("training", () => {
  const trained = (quantizeProbability: number) => {
    const layer = sparseFeedForward({ ...config, quantizeProbability });
    const inputs: Tensor[] = [];
    const w = mapParams(layer.params, ({ shape }) => {
      inputs.push(input(shape));
      return inputs.at(-1)!;
    });
    const [x, key, counter] = [input([1, 3, 8]), input([2], "int32"), input([], "int32")];
    const y = layer.apply(w, x, training(randomSource(key, counter)));
    const [down] = gradient(reduceSum(y, { axes: [0, 1, 2] }), [w.controller.down]);
    const program = graph({ inputs: [...inputs, x, key, counter], outputs: [y, down!] });
    return (step: number) =>
      evaluate(program, [
        ...initialize(layer.params, 3).values(),
        hostTensor(
          "float32",
          [1, 3, 8],
          Array.from({ length: 24 }, (_, i) => Math.sin(3 * i + 1)),
        ),
        hostTensor("int32", [2], [7, 0]),
        hostTensor("int32", [], [step]),
      ]).map(({ data }) => [...data]);
  };

  test("draws anew in every step, and the same in the same one", () => {
    const hard = trained(1);
    expect(hard(0)).toEqual(hard(0));
    expect(hard(1)[0]).not.toEqual(hard(0)[0]);
  });

  test("does not draw where nothing is quantised", () => {
    const soft = trained(0);
    expect(soft(1)).toEqual(soft(0));
  });

  test("reaches the controller through a hard choice too", () => {
    expect(trained(1)(0)[1]!.some((g) => Math.abs(g) > 1e-6)).toBe(true);
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
