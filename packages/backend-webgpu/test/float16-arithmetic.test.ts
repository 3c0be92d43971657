// @module-tag webgpu/float16
import { describeProducts } from "@finegrain/backend-testkit";
import { type Backend, einsum, graph, hostTensor, input } from "@finegrain/graph";
import { afterAll, beforeAll, expect, test } from "vitest";
import { webgpuBackend } from "../src/index.ts";
import { alteredGpu } from "./altered-gpu.ts";

process.env.GALLIVM_PERF ??= "nopt";

let backend: Backend;
beforeAll(async () => {
  backend = await webgpuBackend({ arithmetic: "float16" });
});
afterAll(async () => backend?.[Symbol.asyncDispose]());

// Each operand is off by 2 ** -11 at most.
describeProducts(() => backend, 5e-3);

/** All elements of the product of matrices [8, k] and [k, 8] that are one value each. */
async function productOf(left: number, right: number, k: number): Promise<number[]> {
  const [x, y] = [input([8, k]), input([k, 8])];
  using product = await backend.compile(
    graph({ name: "product", inputs: [x, y], outputs: [einsum(x, y, "M K, K N -> M N")] }),
  );
  const [z] = product.run([
    backend.upload(hostTensor("float32", [8, k], new Float32Array(8 * k).fill(left))),
    backend.upload(hostTensor("float32", [k, 8], new Float32Array(k * 8).fill(right))),
  ]);
  return [...new Set((await z!.read()).data)];
}

test("operands are rounded to float16", async () => {
  expect(await productOf(1 + 2 ** -12, 1, 64)).toEqual([64]);
  expect(await productOf(1e5, 1, 64)).toEqual([Infinity]);
});

test("sums are float32", async () => {
  // From 2048 on, float16 has no odd numbers.
  expect(await productOf(1, 1, 4095)).toEqual([4095]);
  expect(await productOf(100, 100, 1001)).toEqual([10_010_000]);
});

test("the backend's name says it", () => {
  expect(backend.name).toMatch(/^webgpu:.+, float16 arithmetic$/);
});

test("an adapter without float16 arithmetic is refused by its name", async () => {
  const gpu = await alteredGpu(
    () => ({}),
    () => ({ features: new Set(["timestamp-query"]) as unknown as GPUSupportedFeatures }), // a set-like
  );
  await expect(webgpuBackend({ gpu, arithmetic: "float16" })).rejects.toThrow(
    /^.+ has no float16 arithmetic \(the WebGPU feature shader-f16\)$/,
  );
});
