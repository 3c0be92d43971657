import { expectAgreement } from "@finegrain/backend-testkit";
import { broadcastTo, exp, graph, hostTensor, input, mul, reduceSum, type Tensor } from "@finegrain/graph";
import { expect, test } from "vitest";
import { wasmBackend } from "../src/index.ts";

const numbers = (...shape: number[]) => {
  const count = shape.reduce((a, b) => a * b, 1);
  return hostTensor(
    "float32",
    shape,
    Float32Array.from({ length: count }, (_, i) => Math.sin(i)),
  );
};

// So many columns that several vectors of them are summed at once: each has its own part of what a loop computes before it begins.
test.each<[string, (x: Tensor, w: Tensor) => Tensor]>([
  ["nothing but a value of its column", (_, w) => broadcastTo(w, [5, 40])],
  ["products with a value of its column", (x, w) => mul(x, exp(w))],
])("columns sum %s", async (_, of) => {
  await using backend = await wasmBackend({ threads: 1 });
  const [x, w] = [input([5, 40]), input([40])];
  const sums = graph({ inputs: [x, w], outputs: [reduceSum(of(x, w), { axes: [0] })] });
  await expectAgreement(backend, sums, [numbers(5, 40), numbers(40)], 1e-5);
  expect(sums.outputs[0]!.shape).toEqual([40]);
});
