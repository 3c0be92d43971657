import { type Buffer, FinegrainError, gather, graph, hostTensor, input, mul } from "@finegrain/graph";
import { afterAll, afterEach, beforeEach, expect, test } from "vitest";
import { onnxBackend } from "../src/index.ts";

const backend = await onnxBackend({ threads: 1 });
afterAll(() => backend[Symbol.asyncDispose]());

const unhandled: unknown[] = [];
const note = (reason: unknown) => unhandled.push(reason);
beforeEach(() => void process.on("unhandledRejection", note));
afterEach(() => void process.off("unhandledRejection", note));

const [table, ids, x] = [input([4, 2], "float32", "table"), input([1], "int32", "ids"), input([1, 2], "float32", "x")];
const lookup = await backend.compile(graph({ name: "lookup", inputs: [table, ids], outputs: [gather(table, ids)] }));
const twice = await backend.compile(graph({ name: "twice", inputs: [x], outputs: [mul(x, 2)] }));
const rows = backend.upload(hostTensor("float32", [4, 2], [1, 2, 3, 4, 5, 6, 7, 8]));
const row = (i: number) => lookup.run([rows, backend.upload(hostTensor("int32", [1], [i]))])[0]!;
const doubled = (value: Buffer) => twice.run([value])[0]!;

test("surface at the read, which names the graph", async () => {
  const bad = row(99);
  await expect(bad.read()).rejects.toThrow(FinegrainError);
  await expect(bad.read()).rejects.toThrow(/^graph "lookup" failed on onnx:cpu: .*99/);
});

test("reach the runs that depend on them, under the name of the first", async () => {
  await expect(doubled(doubled(row(99))).read()).rejects.toThrow('graph "lookup" failed');
});

test("leave other runs alone, before and after", async () => {
  const [before, bad, after] = [row(1), row(99), doubled(row(2))];
  expect((await after.read()).data).toEqual(Float32Array.of(10, 12));
  expect((await before.read()).data).toEqual(Float32Array.of(3, 4));
  await expect(bad.read()).rejects.toThrow('graph "lookup"');
});

test("are nobody's surprise where nobody reads them", async () => {
  unhandled.length = 0;
  row(99);
  doubled(row(99));
  await doubled(row(0)).read();
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(unhandled).toEqual([]);
});

test("name what does not fit before anything runs", () => {
  expect(() => twice.run([rows])).toThrow(FinegrainError);
  expect(() => twice.run([])).toThrow(/twice/);
});
