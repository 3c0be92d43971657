// @module-tag webgpu/software
import { FinegrainError } from "@finegrain/graph";
import { expect, test } from "vitest";
import { openGpu, requestAdapter } from "../src/gpu.ts";
import { webgpuBackend } from "../src/index.ts";
import { altered } from "./altered-gpu.ts";

/** A GPU whose adapters are this machine's by other names: those that it answers each wish with. */
async function listing(answer: (wish: GPURequestAdapterOptions) => "hardware" | "software" | undefined): Promise<GPU> {
  const gpu = await openGpu();
  const requestAdapter = async (wish: GPURequestAdapterOptions = {}): Promise<GPUAdapter | null> => {
    const kind = answer(wish);
    const adapter = await gpu.requestAdapter();
    if (!adapter || kind === undefined) return null;
    const facts = { isFallbackAdapter: kind === "software", description: `A ${kind} adapter: driver 1.2` };
    return altered(adapter, { info: altered(adapter.info, facts) });
  };
  return altered(gpu, { requestAdapter });
}

const nameWith = async (gpu: GPU, software = false): Promise<string> => {
  await using backend = await webgpuBackend({ gpu, software });
  return backend.name;
};

test("hardware is preferred, whichever wish it answers", async () => {
  expect(await nameWith(await listing(() => "hardware"))).toBe("webgpu:A hardware adapter");
  const shy = await listing(({ powerPreference }) => (powerPreference === "low-power" ? "hardware" : "software"));
  expect(await nameWith(shy)).toBe("webgpu:A hardware adapter");
});

test("a driver that is called as its vendor gives its name to no card", async () => {
  const gpu = await listing(() => "hardware");
  const requestAdapter = async (): Promise<GPUAdapter | null> => {
    const adapter = (await gpu.requestAdapter())!; // it has one
    const facts = { vendor: "nvidia", device: "nvidia-h100", description: "NVIDIA: 580.1" };
    return altered(adapter, { info: altered(adapter.info, facts) });
  };
  await using backend = await webgpuBackend({ gpu: altered(gpu, { requestAdapter }) });
  expect(backend.name).toBe("webgpu:nvidia-h100");
  expect(backend.device.description).toBe("nvidia-h100, NVIDIA: 580.1");
});

test("software runs where it is asked for or alone, and says so", async () => {
  const both = await listing(({ forceFallbackAdapter }) => (forceFallbackAdapter ? "software" : "hardware"));
  expect(await nameWith(both, true)).toBe("webgpu:A software adapter (software)");
  const alone = await listing(() => "software");
  expect(await nameWith(alone)).toBe("webgpu:A software adapter (software)");
});

test("hardware is no answer where software was asked for, nor nothing where anything was", async () => {
  const hardware = await listing(() => "hardware");
  await expect(requestAdapter(hardware, true)).rejects.toThrow(/^WebGPU found no software adapter: /);
  const none = await listing(() => undefined);
  await expect(requestAdapter(none, false)).rejects.toThrow(FinegrainError);
});

test("software is found where a wish for it is granted only after one for anything", async () => {
  let looked = false;
  const late = await listing(({ forceFallbackAdapter }) => {
    if (forceFallbackAdapter) return looked ? "software" : undefined;
    looked = true;
    return "hardware";
  });
  expect(await nameWith(late, true)).toBe("webgpu:A software adapter (software)");
});

test("a device says what it can, and how much", async () => {
  await using backend = await webgpuBackend({ software: true });
  const { description, features, limits } = backend.device;
  expect(description).toMatch(/\d+\.\d+/); // the driver's version
  expect(features).toEqual([...(features ?? [])].sort());
  expect(limits?.maxStorageBuffersPerShaderStage).toBeGreaterThanOrEqual(8);
  expect(limits?.maxStorageBufferBindingSize).toBeGreaterThanOrEqual(2 ** 27);
});
