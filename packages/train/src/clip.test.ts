import { evaluate, graph, hostTensor, input } from "@finegrain/graph";
import { expect, test } from "vitest";
import { clipByGlobalNorm } from "./clip.ts";

/** Gradients [3] and [2, 2] of global length 6, clipped. */
function clipped(maxNorm: number): { norm: number; numbers: number[] } {
  const [a, b] = [input([3]), input([2, 2])];
  const { gradients, norm } = clipByGlobalNorm({ a, b }, { maxNorm });
  const found = evaluate(graph({ inputs: { a, b }, outputs: { norm, gradients } }), {
    a: hostTensor("float32", [3], [1, -3, 1]),
    b: hostTensor("float32", [2, 2], [4, 0, 3, 0]),
  });
  return { norm: found.norm.data[0]!, numbers: Object.values(found.gradients).flatMap(({ data }) => [...data]) };
}

test("longer gradients are scaled as one vector, and their length before is told", () => {
  const { norm, numbers } = clipped(2);
  expect(norm).toBeCloseTo(6, 10);
  for (const [i, x] of [1, -3, 1, 4, 0, 3, 0].entries()) expect(numbers[i]).toBeCloseTo(x / 3, 6);
});

test("shorter gradients stay as they are", () => {
  expect(clipped(6.1).numbers).toEqual([1, -3, 1, 4, 0, 3, 0]);
});
