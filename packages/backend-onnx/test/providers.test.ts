import { type Backend, FinegrainError, graph, hostTensor, input, mul } from "@finegrain/graph";
import * as ort from "onnxruntime-node";
import { expect, test } from "vitest";
import { onnxBackend } from "../src/index.ts";
import { complaint, openProvider } from "../src/providers.ts";

const needs = {
  cuda: /needs an NVIDIA driver, CUDA 12 and cuDNN 9, and the provider that .*--onnxruntime-node-install=cuda12 downloads$/,
  webgpu: /needs a GPU with a Vulkan, Metal or Direct3D 12 driver$/,
} as const;

test.each(["cuda", "webgpu"] as const)("%s runs, or says in one sentence what it needs", async (device) => {
  const opened = await onnxBackend({ device }).catch((error: unknown) => error);
  if (opened instanceof Error) {
    expect(opened).toBeInstanceOf(FinegrainError);
    expect(opened.message).toMatch(new RegExp(`^ONNX Runtime's ${device} provider is not there \\([^.\\n]*\\): it `));
    expect(opened.message).toMatch(needs[device]);
    return;
  }
  await using backend = opened as Backend; // the only other thing that it can be
  expect([backend.name, backend.device.kind]).toEqual([`onnx:${device}`, device]);
  const x = input([2], "float32", "x");
  using twice = await backend.compile(graph({ inputs: [x], outputs: [mul(x, 2)] }));
  const [y] = twice.run([backend.upload(hostTensor("float32", [2], [1, 2]))]);
  expect((await y!.read()).data).toEqual(Float32Array.of(2, 4));
});

test("the CPU provider says what it is", async () => {
  await using backend = await onnxBackend({ threads: 1 });
  expect(backend.name).toBe("onnx:cpu");
  expect(backend.device).toMatchObject({ kind: "cpu", threads: 1 });
  expect(backend.device.provider).toMatch(/^onnxruntime-node \d+\.\d+/);
});

test("the CPU does not stand in for a provider that is not in this build", async () => {
  // Not one of ours, so that it is nowhere.
  await expect(openProvider(ort, "xnnpack" as "cpu")).rejects.toThrow("provider is not there");
});

test.each([
  [
    "ERR_MODULE_NOT_FOUND",
    "Cannot find package 'onnxruntime-node' imported from /app/index.js",
    "onnxruntime-node is not installed: npm install onnxruntime-node",
  ],
  [
    "ERR_DLOPEN_FAILED",
    "/app/libonnxruntime.so.1: file too short",
    "onnxruntime-node is installed, but does not load on this machine (/app/libonnxruntime.so.1: file too short)",
  ],
  [
    "MODULE_NOT_FOUND",
    "Cannot find module '../bin/napi-v6/linux/x64/onnxruntime_binding.node'\nRequire stack:\n- /app",
    "onnxruntime-node is installed, but does not load on this machine (Cannot find module '../bin/napi-v6/linux/x64/onnxruntime_binding.node')",
  ],
])("a package that does not load (%s) is told from one that is not there", (code, message, sentence) => {
  expect(complaint(Object.assign(new Error(message), { code }))).toBe(sentence);
});
