import {
  cachedAttention,
  type Donations,
  einsum,
  gelu,
  graph,
  input,
  layerNorm,
  mul,
  reshape,
  size,
  softmax,
  type Tensor,
  updateSlice,
} from "@finegrain/graph";
import { describe, expect, test } from "vitest";
import { attributeOf, type DecodedModel, decodeModel, shapeOf } from "./decode-model.ts";

const f32 = (...shape: number[]) => input(shape, "float32");
const model = (inputs: Tensor[], outputs: Tensor[], donate?: Donations): DecodedModel =>
  decodeModel(graph({ name: "g", inputs, outputs }), donate);
const typesOf = ({ node }: DecodedModel) => node.map(({ opType }) => opType);
const square = f32(3, 4);

describe("einsum is", () => {
  test.each([
    ["one product for a dense layer", f32(2, 5, 8), f32(8, 6), "B T D, D F -> B T F", ["MatMul"]],
    ["one product for weights kept the other way round", f32(4, 8), f32(6, 8), "B D, F D -> B F", ["FusedMatMul"]],
    ["one product for a weight's gradient", f32(4, 8), f32(4, 6), "B D, B F -> D F", ["FusedMatMul"]],
    ["one product with changed sides", f32(4, 8), f32(4, 6), "B D, B F -> F D", ["FusedMatMul"]],
    [
      "a batched product and its shape",
      f32(2, 3, 5, 8),
      f32(2, 3, 8, 6),
      "B H T D, B H D S -> B H T S",
      ["MatMul", "Reshape"],
    ],
    [
      "one move where the result has another order",
      f32(4, 8),
      f32(8, 2, 3),
      "B D, D H E -> H B E",
      ["MatMul", "Reshape", "Transpose"],
    ],
    ["a sum of squares for a squared length", square, square, "A B, A B ->", ["ReduceSumSquare"]],
  ])("%s", (_, x, y, text, expected) => {
    expect(typesOf(model([...new Set([x, y])], [einsum(x, y, text)]))).toEqual(expected);
  });

  test("reads a matrix transposed without a move", () => {
    const [x, w] = [f32(4, 8), f32(6, 8)];
    const { node } = model([x, w], [einsum(x, w, "B D, F D -> B F")]);
    expect(node[0]!.domain).toBe("com.microsoft");
    expect([attributeOf(node[0]!, "transA"), attributeOf(node[0]!, "transB")]).toEqual([0, 1]);
  });

  test("takes a factor along", () => {
    const [x, w] = [f32(4, 8), f32(8, 6)];
    const { node } = model([x, w], [einsum(mul(x, 0.5), mul(w, 3), "B D, D F -> B F")]);
    expect(node.map(({ opType }) => opType)).toEqual(["FusedMatMul"]);
    expect(attributeOf(node[0]!, "alpha")).toBe(1.5);
  });
});

test("a reshaped weight is declared in that shape, not reshaped", () => {
  const [x, w] = [f32(4, 8), f32(8, 2, 3)];
  const lowered = model([x, w], [einsum(x, reshape(w, [8, 6]), "B D, D F -> B F")]);
  expect(typesOf(lowered)).toEqual(["MatMul"]);
  const declared = lowered.input.find(({ name }) => name === lowered.node[0]!.input[1])!;
  expect(shapeOf(declared)).toEqual([8, 6]);
});

test("no weight is in the model", () => {
  const [x, w] = [f32(1, 512), f32(512, 512)];
  const { initializer } = model([x, w], [einsum(x, w, "B D, D F -> B F")]);
  expect(initializer).toEqual([]);
});

test("some composites are ONNX operators", () => {
  const [x, scale, bias] = [f32(4, 8), f32(8), f32(8)];
  const out = softmax(gelu(layerNorm(x, scale, bias, { epsilon: 1e-5 })));
  expect(typesOf(model([x, scale, bias], [out]))).toEqual(["LayerNormalization", "Gelu", "Softmax"]);
});

describe("a decode step", () => {
  const CAPACITY = 1000;
  const [q, newKeys, newValues] = [f32(1, 2, 1, 8), f32(1, 2, 1, 8), f32(1, 2, 1, 8)];
  const [keys, values] = [f32(1, 2, CAPACITY, 8), f32(1, 2, CAPACITY, 8)];
  const position = input([], "int32");
  const [nextKeys, nextValues] = [
    updateSlice(keys, newKeys, position, { axis: 2 }),
    updateSlice(values, newValues, position, { axis: 2 }),
  ];
  const inputs = [keys, values, q, newKeys, newValues, position];
  const attention = cachedAttention(q, nextKeys, nextValues, position, { scale: 0.25 });
  const outputs = [nextKeys, nextValues, attention];

  test("that donates its caches makes none", () => {
    const lowered = model(inputs, outputs, [
      [0, 0],
      [1, 1],
    ]);
    expect(typesOf(lowered)).not.toContain("Slice");
    // The one concatenation is that of the scores.
    const [concat, ...others] = lowered.node.filter(({ opType }) => opType === "Concat");
    expect(others).toEqual([]);
    expect(concat!.input.map((name) => lowered.node.find(({ output }) => output.includes(name))!.opType)).toEqual([
      "Where",
      "FusedMatMul",
    ]);
    expect(lowered.output.map((out) => size(shapeOf(out)))).toEqual([16, 16, 16]);
  });

  test("that keeps them copies each once", () => {
    const lowered = model(inputs, outputs);
    const copies = lowered.node.filter(({ opType, input: parts }) => opType === "Concat" && parts.length === 3);
    expect(copies).toHaveLength(2);
  });
});
