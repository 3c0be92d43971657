import { runGraph } from "@finegrain/backend-testkit";
import {
  add,
  type Backend,
  cast,
  evaluate,
  graph,
  hostTensor,
  input,
  mul,
  randomBits,
  reshape,
  slice,
  uniform,
} from "@finegrain/graph";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { onnxBackend } from "../src/index.ts";

let backend: Backend;
beforeAll(async () => {
  backend = await onnxBackend({ threads: 1 });
});
afterAll(() => backend[Symbol.asyncDispose]());

const [key, counter] = [input([2], "int32", "key"), input([2], "int32", "counter")];
const pair = (a: number, b: number) => hostTensor("int32", [2], [a, b]);

describe.each([
  ["small", 0, 1],
  ["negative", -1, -2_147_483_648],
  ["large", 2_147_483_647, 123_456_789],
])("from %s keys", (_, a, b) => {
  test("bits and uniforms are the reference's, bit for bit", async () => {
    const outputs = [randomBits(key, counter, { shape: [3, 7] }), uniform(key, counter, { shape: [257] })];
    const draws = graph({ name: "draws", inputs: [key, counter], outputs });
    const values = [pair(a, b), pair(b, a)];
    const [bits, numbers] = await runGraph(backend, draws, values);
    const [expectedBits, expectedNumbers] = evaluate(draws, values);
    expect([...bits!.data]).toEqual([...expectedBits!.data]);
    expect([...numbers!.data]).toEqual([...expectedNumbers!.data]);
  });
});

test("a counter may be computed from a step", async () => {
  const step = input([2], "int32", "step");
  const draws = graph({ inputs: [key, step], outputs: [uniform(key, add(mul(step, 3), 1), { shape: [8] })] });
  const [numbers] = await runGraph(backend, draws, [pair(5, 6), pair(7, 0)]);
  const direct = graph({ inputs: [key, counter], outputs: [uniform(key, counter, { shape: [8] })] });
  expect([...numbers!.data]).toEqual([...evaluate(direct, [pair(5, 6), pair(22, 1)])[0]!.data]);
});

test("one draw used twice is the same numbers, and two counters are not", async () => {
  const [first, again] = [uniform(key, counter, { shape: [8] }), uniform(key, counter, { shape: [8] })];
  const other = uniform(key, add(counter, 1), { shape: [8] });
  const draws = graph({ inputs: [key, counter], outputs: [first, again, other] });
  const [a, b, c] = await runGraph(backend, draws, [pair(1, 2), pair(3, 4)]);
  expect(a!.data).toEqual(b!.data);
  expect(a!.data).not.toEqual(c!.data);
});

test.each([
  ["a large tensor", input([1000, 2], "int32")],
  ["floats", cast(input([2]), "int32")],
])("a key computed from %s is refused", async (_, source) => {
  const small = source.shape.length === 1 ? source : reshape(slice(source, { starts: [0, 0], ends: [1, 2] }), [2]);
  const draws = graph({
    name: "draws",
    inputs: [source.op === "cast" ? source.inputs[0]! : source, counter],
    outputs: [uniform(small, counter, { shape: [4] })],
  });
  await expect(backend.compile(draws)).rejects.toThrow(
    "ONNX Runtime takes a random key from the host, so it must come from a few int32 inputs, not int32[2] of larger ones",
  );
});
