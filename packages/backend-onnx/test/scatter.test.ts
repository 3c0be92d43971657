import { runGraph } from "@finegrain/backend-testkit";
import { type Backend, graph, hostTensor, input, scatterAdd, select, size } from "@finegrain/graph";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { onnxBackend } from "../src/index.ts";

let backend: Backend;
beforeAll(async () => {
  backend = await onnxBackend();
});
afterAll(() => backend[Symbol.asyncDispose]());

describe("scatterAdd", () => {
  // Enough work that ONNX Runtime would share it among threads.
  it.each([256, 2000])("loses no update of %i rows that come thousands of times", async (rows) => {
    const [count, columns] = [20_000, 64];
    const [indices, updates] = [input([count], "int32"), input([count, columns])];
    const program = graph({
      name: "scatter",
      inputs: [indices, updates],
      outputs: [scatterAdd(indices, updates, { rows })],
    });
    const [sum] = await runGraph(backend, program, [
      hostTensor(
        "int32",
        [count],
        Int32Array.from({ length: count }, (_, i) => i % 4),
      ),
      hostTensor("float32", [count, columns], new Float32Array(count * columns).fill(0.5)),
    ]);
    expect([...sum!.data.subarray(0, 4 * columns)]).toEqual(new Array(4 * columns).fill(count / 8));
    expect(sum!.data.subarray(4 * columns).every((x) => x === 0)).toBe(true);
    expect(sum!.data.length).toBe(size([rows, columns]));
  });
});

it("selects between bools", async () => {
  const [condition, x, y] = [input([4], "bool"), input([4], "bool"), input([1], "bool")];
  const program = graph({ inputs: [condition, x, y], outputs: [select(condition, x, y)] });
  const bools = (...data: number[]) => hostTensor("bool", [data.length], data);
  const [chosen] = await runGraph(backend, program, [bools(1, 0, 1, 0), bools(1, 1, 0, 0), bools(1)]);
  expect([...chosen!.data]).toEqual([1, 1, 0, 1]);
});
