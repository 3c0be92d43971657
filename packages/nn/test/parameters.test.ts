import { describe, expect, test } from "vitest";
import {
  denseLM,
  equalParameters,
  initialize,
  leaves,
  type ModelConfig,
  mapParams,
  multiplicativeDense,
  type Param,
  parameterCount,
  paramTypes,
  presets,
  scalingLM,
  traxSparseFeedForward,
} from "../src/index.ts";
import { sinusoidTable } from "../src/init.ts";

const dense: ModelConfig = { vocabulary: 256, dModel: 64, dFf: 256, layers: 2, heads: 4, maxLength: 32 };
const sparse: ModelConfig = {
  ...dense,
  dFf: 384,
  feedForward: { type: "sparse", blockSize: 16, rank: 8 },
  attention: { type: "multiplicative-convolutional", modules: 4 },
  loss: { type: "multiplicative", modules: 4 },
};

test("paths of a dense model", () => {
  const { params } = denseLM({ ...dense, layers: 1 });
  expect([...paramTypes(params)].map(([path, { shape }]) => `${path} ${shape}`)).toEqual([
    "embedding.table 256,64",
    "positions.table 32,64",
    "blocks.0.attentionNorm.scale 64",
    "blocks.0.attentionNorm.bias 64",
    ...["query", "key", "value", "output"].flatMap((name) => [
      `blocks.0.attention.${name}.kernel 64,64`,
      `blocks.0.attention.${name}.bias 64`,
    ]),
    "blocks.0.feedForwardNorm.scale 64",
    "blocks.0.feedForwardNorm.bias 64",
    "blocks.0.feedForward.inner.kernel 64,256",
    "blocks.0.feedForward.inner.bias 256",
    "blocks.0.feedForward.outer.kernel 64,256",
    "blocks.0.feedForward.outer.bias 64",
    "norm.scale 64",
    "norm.bias 64",
    "loss.kernel 64,256",
    "loss.bias 256",
  ]);
});

test("paths of a sparse block", () => {
  const { params } = scalingLM({ ...sparse, layers: 1, positions: "none" });
  const paths = [...paramTypes(params)].map(([path, { shape }]) => `${path} ${shape}`);
  expect(paths.filter((path) => !path.includes("orm."))).toEqual([
    "embedding.table 256,64",
    "blocks.0.attention.shared.gating 4,64",
    "blocks.0.attention.shared.projection 16,64",
    "blocks.0.attention.shared.bias 64",
    "blocks.0.attention.query.kernel 144,16",
    "blocks.0.attention.query.bias 16",
    "blocks.0.attention.key.kernel 144,16",
    "blocks.0.attention.key.bias 16",
    "blocks.0.attention.value.kernel 48,16",
    "blocks.0.attention.value.bias 16",
    "blocks.0.feedForward.controller.down 8,64",
    "blocks.0.feedForward.controller.up 8,384",
    "blocks.0.feedForward.controller.bias 384",
    "blocks.0.feedForward.inner.kernel 384,64",
    "blocks.0.feedForward.outer.kernel 384,64",
    "blocks.0.feedForward.outer.bias 64",
    "loss.gating 4,64",
    "loss.projection 64,64",
    "loss.bias 256",
  ]);
});

test("the paper's pair has nearly as many parameters", () => {
  const [a, b] = [presets["paper-800m-dense"], presets["paper-800m-sparse"]].map((config) =>
    parameterCount(scalingLM(config).params),
  ) as [number, number];
  expect(Math.abs(a - b) / a).toBeLessThan(0.02);
});

test("a model without a number of hidden units has four times its width", () => {
  const { dFf: _, ...rest } = dense;
  expect(scalingLM(rest).params).toEqual(scalingLM(dense).params);
});

test("a sparse model is widened to the dense one's parameter count", () => {
  const config = equalParameters(dense, sparse);
  const [a, b] = [dense, config].map((c) => parameterCount(scalingLM(c).params)) as [number, number];
  expect(Math.abs(a - b) / a).toBeLessThan(0.01);
  expect(config.dFf % 16).toBe(0);
  expect({ ...config, dFf: 384 }).toEqual(sparse);
});

test("a sparse model that is larger anyway is refused", () => {
  expect(() => equalParameters({ ...dense, layers: 1, dFf: 16 }, { ...sparse, layers: 9 })).toThrow(
    /^no dFf gives the sparse model the dense one's \d+ parameters within 1 %: 16 gives \d+$/,
  );
});

describe("first values", () => {
  const { params } = scalingLM(sparse);

  test("are of the parameters' shapes", () => {
    const values = initialize(params, 1);
    expect([...values].map(([path, { dtype, shape }]) => [path, { dtype, shape }])).toEqual([...paramTypes(params)]);
    for (const { data } of values.values()) expect(data.every(Number.isFinite)).toBe(true);
  });

  test("depend on the seed and the path, and on nothing else", () => {
    const [a, again, b] = [initialize(params, 1), initialize(params, 1), initialize(params, 2)];
    const path = "blocks.0.attention.query.kernel";
    expect(again).toEqual(a);
    expect(b.get(path)).not.toEqual(a.get(path));
    expect(a.get("blocks.1.attention.query.kernel")).not.toEqual(a.get(path));
    expect(initialize(scalingLM({ ...sparse, layers: 1 }).params, 1).get(path)).toEqual(a.get(path));
    expect(initialize(params, 2 ** 40 + 1).get(path)).not.toEqual(a.get(path));
  });

  test("have the moments that they should", () => {
    const moments = (data: ArrayLike<number>) => {
      const values = Array.from(data);
      const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
      return [mean, values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length];
    };
    const { gating, projection } = multiplicativeDense({ dIn: 256, dOut: 256, modules: 8 }).params;
    const values = initialize({ gating, projection }, 3);
    const [meanOfGating, variance] = moments(values.get("gating")!.data);
    expect(meanOfGating).toBeCloseTo(0, 1);
    expect(variance).toBeCloseTo(0.25, 1);
    expect(moments(values.get("projection")!.data)[1]).toBeCloseTo(2 / (256 + 32), 3);
  });

  test("of positions are sinusoids", () => {
    const table = sinusoidTable(3, 4);
    const expected = [0, 1, 0, 1, Math.sin(1), Math.cos(1), Math.sin(0.01), Math.cos(0.01)];
    for (const [i, x] of expected.entries()) expect(table[i]).toBeCloseTo(x, 6);
  });

  test("of the outer matrix are √N times larger with kernelScaling", () => {
    const config = { dModel: 8, dFf: 16, blockSize: 4 };
    const at = (kernelScaling: boolean) => initialize(traxSparseFeedForward({ ...config, kernelScaling }).params, 1);
    const [plain, scaled] = [at(false), at(true)].map((values) => values.get("outer.kernel")!.data[3]!);
    expect(scaled! / plain!).toBeCloseTo(2, 5);
  });
});

test("a tree of parameters is mapped with its paths", () => {
  const { params } = multiplicativeDense({ dIn: 4, dOut: 6, modules: 2 });
  const mapped = mapParams({ layer: params }, (param, path) => `${path} ${param.shape}`);
  expect(mapped).toEqual({
    layer: { gating: "layer.gating 2,4", projection: "layer.projection 3,4", bias: "layer.bias 6" },
  });
  expect(leaves<Param>(params).map(([path]) => path)).toEqual(["gating", "projection", "bias"]);
});
