import { expect, test } from "vitest";
import {
  add,
  barrier,
  broadcastTo,
  commonSubexpressions,
  decompose,
  div,
  foldConstants,
  graph,
  input,
  mul,
  neg,
  optimize,
  print,
  reduceSum,
  relu,
  reshape,
  scalar,
  simplify,
  softmax,
  sub,
  sumTo,
  type Tensor,
  transpose,
  verify,
} from "../src/index.ts";

const x = input([2, 3], "float32", "x");
const of = (...outputs: Tensor[]) => graph({ name: "g", inputs: [x], outputs });
const lines = (text: string) => text.split("\n").slice(1);

test("decompose leaves primitives, except what it is told to keep", () => {
  expect(lines(print(decompose(of(relu(x)))))).toEqual([
    "  %1 = constant() 0 : float32[]",
    "  %2 = max(x, %1) : float32[2,3]",
    "  return %2",
  ]);
  expect(lines(print(decompose(of(relu(softmax(x))), new Set(["relu", "softmax"]))))).toEqual([
    "  %1 = softmax(x) : float32[2,3]",
    "  %2 = relu(%1) : float32[2,3]",
    "  return %2",
  ]);
});

test("what an op stretches itself needs no stretching before", () => {
  const row = reshape(reduceSum(x, { axes: [0] }), [1, 3]);
  const stretched = broadcastTo(row, [2, 3]);
  for (const op of [add, sub, mul, div]) {
    for (const result of [op(x, stretched), op(stretched, x)])
      expect(lines(print(simplify(of(result)))).join("\n")).not.toContain("broadcastTo");
  }
  expect(print(simplify(of(add(row, stretched))))).toContain("broadcastTo");
});

test("common subexpressions become one, barriers stay apart", () => {
  const before = of(add(mul(x, x), mul(x, x)), mul(barrier(x, x), barrier(x, x)));
  expect(lines(print(commonSubexpressions(before)))).toEqual([
    "  %1 = mul(x, x) : float32[2,3]",
    "  %2 = add(%1, %1) : float32[2,3]",
    "  %3 = barrier(x, x) : float32[2,3]",
    "  %4 = barrier(x, x) : float32[2,3]",
    "  %5 = mul(%3, %4) : float32[2,3]",
    "  return %2, %5",
  ]);
});

test("constants fold, large results do not", () => {
  expect(lines(print(foldConstants(of(mul(x, add(scalar(2), 3))))))).toEqual([
    "  %1 = constant() 5 : float32[]",
    "  %2 = mul(x, %1) : float32[2,3]",
    "  return %2",
  ]);
  expect(foldConstants(of(broadcastTo(scalar(0), [1000]))).outputs[0]!.op).toBe("broadcastTo");
});

test("algebra that keeps every bit is done, other algebra is not", () => {
  const same = [
    mul(x, 1),
    mul(1, x),
    sub(x, 0),
    neg(neg(x)),
    reshape(x, [2, 3]),
    sumTo(x, [2, 3]),
    transpose(transpose(x, [1, 0]), [1, 0]),
  ];
  expect(simplify(of(...same)).outputs.every((out) => out === x)).toBe(true);
  expect(lines(print(simplify(of(reshape(reshape(x, [6]), [3, 2])))))).toEqual([
    "  %1 = reshape(x) [3,2] : float32[3,2]",
    "  return %1",
  ]);
  // -0 + 0 is 0, and a scalar times 1 may be stretched.
  expect(simplify(of(add(x, 0))).outputs[0]).not.toBe(x);
  expect(simplify(of(mul(scalar(1), broadcastTo(scalar(1), [4])))).outputs[0]!.shape).toEqual([4]);
});

test("optimize leaves a well-formed graph of primitives", () => {
  const result = verify(optimize(of(softmax(relu(mul(x, 1)))), new Set()));
  expect(result.nodes.some((node) => node.op === "softmax" || node.op === "relu")).toBe(false);
});

test("verify names the node that breaks a rule", () => {
  const wrong = { ...mul(x, 2), shape: [7] };
  expect(() => verify(of(wrong))).toThrow('graph "g": mul of float32[7] should be float32[2,3]');
  expect(() => verify(of({ ...mul(x, 2), op: "nonsense" }))).toThrow(
    'graph "g": nonsense of float32[2,3] is not an op',
  );
});
