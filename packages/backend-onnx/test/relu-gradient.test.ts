import { runGraph } from "@finegrain/backend-testkit";
import { gradient, graph, hostTensor, input, mul, reduceSum, relu } from "@finegrain/graph";
import { expect, test } from "vitest";
import { onnxBackend } from "../src/index.ts";
import { decodeModel } from "./decode-model.ts";

test("the gradient of relu is a comparison, and 0 at 0", async () => {
  await using backend = await onnxBackend({ threads: 1 });
  const [x, scale] = [input([5]), input([5])];
  const program = graph({
    inputs: [x, scale],
    outputs: gradient(reduceSum(mul(relu(x), scale), { axes: [0] }), [x]),
  });
  const [dx] = await runGraph(backend, program, [
    hostTensor("float32", [5], [-2, -0, 0, 1e-30, 3]),
    hostTensor("float32", [5], [10, 20, 30, 40, 50]),
  ]);
  expect([...dx!.data].map(Math.abs)).toEqual([0, 0, 0, 40, 50]);
  const operators = decodeModel(program).node.map(({ opType }) => opType);
  expect(operators).toContain("Less");
  expect(operators).not.toContain("Sign");
});
