import { zeroTensor } from "@finegrain/graph";
import { expect, test } from "vitest";
import { wasmBackend } from "../src/index.ts";

test("memory in use grows with what is uploaded, and shrinks with what is freed", async () => {
  await using backend = await wasmBackend({ threads: 1 });
  const before = backend.memoryInUse!(); // wasm tells
  const buffer = backend.upload(zeroTensor({ dtype: "float32", shape: [1000, 1000] }));
  expect(backend.memoryInUse!() - before).toBeGreaterThanOrEqual(4e6);
  expect(backend.memoryInUse!() - before).toBeLessThan(4.1e6);
  buffer[Symbol.dispose]();
  expect(backend.memoryInUse!()).toBe(before);
});
