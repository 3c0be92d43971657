import { expectAgreement, randomValue } from "@finegrain/backend-testkit";
import { einsum, graph, input, mul } from "@finegrain/graph";
import { expect, test } from "vitest";
import { onnxBackend } from "../src/index.ts";
import { attributeOf, decodeModel } from "./decode-model.ts";

const product = (rows: number) => {
  const [x, w] = [input([rows, 512], "float32", "x"), input([520, 512], "float32", "w")];
  return graph({ name: "product", inputs: [x, w], outputs: [einsum(mul(x, 0.5), w, "B D, F D -> B F")] });
};
const operators = (rows: number) =>
  decodeModel(product(rows))
    .node.map(({ opType }) => opType)
    .filter((opType) => opType !== "Reshape");

test("a vector's product has its factor apart, where it does not slow the product down", () => {
  expect(operators(1)).toEqual([expect.stringMatching(/MatMul$/), "Mul"]);
  const { node } = decodeModel(product(1));
  for (const { attribute } of node.filter(({ opType }) => opType === "FusedMatMul"))
    expect(attribute.find(({ name }) => name === "alpha")?.f).toBe(1);
});

test("weights that a few rows are multiplied by are read in place, and the result is moved", () => {
  expect(operators(4)).toEqual(["FusedMatMul", "Transpose"]);
  const { node } = decodeModel(product(4));
  const fused = node.find(({ opType }) => opType === "FusedMatMul")!;
  expect(fused.input[0]).toContain("w");
  expect([attributeOf(fused, "transA"), attributeOf(fused, "transB"), attributeOf(fused, "alpha")]).toEqual([
    0, 1, 0.5,
  ]);
});

test("many rows are multiplied in one product", () => {
  expect(operators(33)).toEqual(["FusedMatMul"]);
});

test.each([1, 4, 33])("%i rows agree with the reference", async (rows) => {
  await using backend = await onnxBackend({ threads: 1 });
  const program = product(rows);
  const given = program.inputs.map((x, seed) => randomValue(x, seed));
  await expectAgreement(backend, program, given, 2e-5);
});
