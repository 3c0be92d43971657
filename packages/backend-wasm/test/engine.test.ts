import {
  add,
  einsum,
  exp,
  FinegrainError,
  gather,
  graph,
  hostTensor,
  input,
  mul,
  reduceSum,
  zeroTensor,
} from "@finegrain/graph";
import { expect, test } from "vitest";
import { detectFeatures } from "../src/features.ts";
import { wasmBackend } from "../src/index.ts";

const x = input([64, 64], "float32", "x");
const values = hostTensor(
  "float32",
  [64, 64],
  Float32Array.from({ length: 4096 }, (_, i) => i % 7),
);

test("says how much memory a program needs that it has no room for, and goes on", async () => {
  await using backend = await wasmBackend({ threads: 1 });
  // Of 1 GiB, and read twice, so that it is kept.
  const large = exp(input([2 ** 14, 2 ** 14], "float32", "large"));
  const outputs = [0, 1].map((axis) => reduceSum(large, { axes: [axis] }));
  const compile = () => backend.compile(graph({ name: "large", inputs: [...large.inputs], outputs }));
  for (let fits = 0; fits < 3; fits++) await compile();
  await expect(compile()).rejects.toThrow(
    /^1\.00 GiB more is needed, 4\.00 GiB in all, and this memory ends at 4\.00 GiB: memory64.* would help$/,
  );
  using executable = await backend.compile(graph({ name: "after", inputs: [x], outputs: [add(x, 1)] }));
  expect((await executable.run([backend.upload(values)])[0]!.read()).data[8]).toBe(2);
});

test.each([
  [{ threads: 0 }, "wasm runs on 1 or more threads, not 0"],
  [{ threads: 1.5 }, "wasm runs on 1 or more threads, not 1.5"],
])("refuses %j", async (options, message) => {
  await expect(wasmBackend(options)).rejects.toThrow(new FinegrainError(message));
});

test("memory64 is there where the runtime has it, else a sentence", async () => {
  if (!detectFeatures().memory64) {
    await expect(wasmBackend({ memory64: true })).rejects.toThrow(/^this runtime has no 64-bit WebAssembly memory/);
    return;
  }
  await using backend = await wasmBackend({ memory64: true });
  expect(backend.device.memory).toBe(16 * 2 ** 30);
});

test("a run that fails says so at the read of its results, and ends the engine", async () => {
  await using backend = await wasmBackend({ threads: 2 });
  const [table, rows] = [input([4, 64]), input([2], "int32")];
  using executable = await backend.compile(
    graph({ name: "far", inputs: [table, rows], outputs: [gather(table, rows)] }),
  );
  const given = [zeroTensor(table), hostTensor("int32", [2], [0, 2 ** 23])].map((value) => backend.upload(value));
  const [result] = executable.run(given);
  await expect(result!.read()).rejects.toThrow(/^graph "far" failed on wasm: .*out of bounds/);
  const [again] = executable.run(given);
  await expect(again!.read()).rejects.toThrow("wasm cannot go on after a run that failed: open it again");
});

test("times every kernel of a program that was compiled for it", async () => {
  await using backend = await wasmBackend({ threads: 2 });
  const outputs = [exp(mul(x, x))];
  using plain = await backend.compile(graph({ name: "plain", inputs: [x], outputs }));
  expect(plain.profile).toBeUndefined();
  using timed = await backend.compile(graph({ name: "timed", inputs: [x], outputs }), { profile: true });
  const given = backend.upload(values);
  for (let run = 0; run < 3; run++) await timed.run([given])[0]!.read();
  expect(timed.profile!()).toEqual([
    { name: "exp", runs: 3, flops: 2 * 4096, bytes: 2 * 4 * 4096, milliseconds: expect.any(Number) },
  ]);
  expect(timed.profile!()[0]!.runs).toBe(0);
});

test("a kernel's time is that of all the turns that it takes", async () => {
  await using backend = await wasmBackend({ threads: 1 });
  const [a, b] = [input([256, 1024]), input([1024, 1024])];
  const outputs = [einsum(a, b, "M K, K N -> M N")];
  using timed = await backend.compile(graph({ name: "long", inputs: [a, b], outputs }), { profile: true });
  const given = [a, b].map((type) => backend.upload(zeroTensor(type)));
  await timed.run(given)[0]!.read();
  timed.profile!();
  const begin = performance.now();
  await timed.run(given)[0]!.read();
  const elapsed = performance.now() - begin;
  expect(timed.profile!()[0]!.milliseconds).toBeGreaterThan(elapsed / 2);
});
