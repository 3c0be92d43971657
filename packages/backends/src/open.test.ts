import { UnknownNameError } from "@finegrain/graph";
import { describe, expect, test, vi } from "vitest";
import { knownDevices, openBackend } from "./open.ts";

vi.mock("onnxruntime-node", () => {
  throw new Error("not here");
});

describe("where onnxruntime-node does not load", () => {
  test("WebAssembly runs what no backend was named for", async () => {
    await using backend = await openBackend();
    expect(backend.name).toMatch(/^wasm/);
    expect(backend.device.fallback).toMatch(/^wasm runs in place of onnx: onnxruntime-node .*does not load/);
  });

  test("onnx is not replaced where it, or a device of it, was asked for", async () => {
    await expect(openBackend({ name: "onnx" })).rejects.toThrow(/onnxruntime-node .*does not load/);
    await expect(openBackend({ device: "cuda" })).rejects.toThrow(/onnxruntime-node .*does not load/);
  });
});

test("a backend is opened by its name, and on a device", async () => {
  await using reference = await openBackend({ name: "reference", device: "cpu" });
  expect(reference.name).toBe("reference");
});

test("a backend with threads of this process has as many as it is told", async () => {
  await using wasm = await openBackend({ name: "wasm", threads: 1 });
  expect(wasm.device.threads).toBe(1);
  await expect(openBackend({ name: "reference", threads: 1 })).rejects.toThrow(
    "backend reference cannot be told how many threads to use: onnx and wasm can",
  );
});

test("what is not known is refused with what is", async () => {
  const openAny = openBackend as (options: object) => Promise<unknown>; // as JavaScript would call it
  await expect(openAny({ name: "abacus" })).rejects.toThrow(
    new UnknownNameError('unknown backend "abacus": known are onnx, tfjs, wasm, webgpu, reference'),
  );
  await expect(openAny({ name: "wasm", device: "gpu" })).rejects.toThrow(
    new UnknownNameError('backend wasm has no device "gpu": known are cpu, memory64'),
  );
});

test("devices are listed by backend", () => {
  expect(knownDevices()).toContainEqual({ backend: "wasm", device: "memory64" });
  expect(new Set(knownDevices().map(({ backend }) => backend)).size).toBe(5);
});
