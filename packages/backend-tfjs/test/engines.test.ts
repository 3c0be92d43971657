import { FinegrainError, hostTensor } from "@finegrain/graph";
import { describe, expect, test } from "vitest";
import { tfjsBackend } from "../src/index.ts";
import { outOfMemory } from "../src/kernels/memory.ts";
import { engines, isNativeTested } from "./engines.ts";

test("what is not installed is a sentence that says which package, and which CUDA", async () => {
  // Whether the package is not there, finds no GPU, or comes second in this process: no machine of the tests has a GPU.
  const opening = tfjsBackend({ device: "cuda" });
  await expect(opening).rejects.toThrow(FinegrainError);
  await expect(opening).rejects.toThrow(
    /^@tensorflow\/tfjs-node-gpu is not there \(.+\): its download is built for CUDA 11\.2 and cuDNN 8, and .+ CUDA 12\.9/,
  );
});

test.skipIf(!isNativeTested)("a process loads one TensorFlow", async () => {
  await using _ = await tfjsBackend({ device: "native" });
  await expect(tfjsBackend({ device: "cuda" })).rejects.toThrow(
    "this process has loaded @tensorflow/tfjs-node, and cannot load both",
  );
});

test("the default is the best that is installed", async () => {
  await using backend = await tfjsBackend();
  expect(backend.name).toBe(isNativeTested ? "tfjs:native" : "tfjs:wasm");
});

describe.each(engines)("%s", (device) => {
  test("says what it is, and which version", async () => {
    await using backend = await tfjsBackend({ device });
    expect(backend.name).toBe(`tfjs:${device}`);
    expect(backend.device.provider).toMatch(/^TensorFlow(\.js)? \d+\.\d+\.\d+ \(@tensorflow\/tfjs-/);
    expect(backend.unsupported.size).toBe(0);
  });
});

test("wasm refuses more tensors than its memory holds, in one sentence, before it writes over what is there", async () => {
  await using backend = await tfjsBackend({ device: "wasm" });
  const small = backend.upload(hostTensor("float32", [2], [1, 2]));
  const numbers = { byteLength: 2.31e9 } as Float32Array; // which nobody reads
  expect(() => backend.upload({ dtype: "float32", shape: [577_500_000], data: numbers })).toThrow(
    /^tfjs:wasm holds at most 2\.20 GB of tensors, and 2\.31 GB are needed: the backends wasm and onnx hold larger models$/,
  );
  expect((await small.read()).data).toEqual(Float32Array.of(1, 2));
  small[Symbol.dispose]();
});

test.each(["memory access out of bounds", "Aborted(). Build with -sASSERTIONS for more info."])(
  "what wasm says of a full memory, %j, is said in words",
  (message) => {
    expect(outOfMemory(new Error(message))).toMatch(/^its memory of 4 GiB is full \(.+\): the backends wasm and onnx/);
    expect(outOfMemory(new Error("index out of range"))).toBeUndefined();
  },
);
