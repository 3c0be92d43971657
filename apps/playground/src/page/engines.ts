/// <reference types="@webgpu/types" />
import type { Engine } from "../protocol.ts";
import { keepsFiles } from "./storage.ts";

/** What this browser computes with. */
export interface Engines {
  /** In the order of preference, with what they are called. */
  readonly choices: readonly (readonly [name: Engine["name"], text: string])[];
  /** Threads that WebAssembly has here: one where the page is not cross-origin isolated. */
  readonly threads: number;
  /** Whether the browser keeps what is trained. */
  readonly keepsFiles: boolean;
  /** The sentences at the foot of the page. */
  readonly summary: string;
}

export async function findEngines(): Promise<Engines> {
  const threads = crossOriginIsolated ? navigator.hardwareConcurrency : 1;
  const wasm = `WebAssembly, ${threads} ${threads === 1 ? "thread" : "threads"}`;
  const [adapter, keeps] = await Promise.all([navigator.gpu?.requestAdapter().catch(() => null), keepsFiles()]);
  const lost = keeps ? "" : " It keeps no files of pages, so that what is trained here is gone when you leave.";
  if (!adapter)
    return {
      choices: [["wasm", wasm]],
      threads,
      keepsFiles: keeps,
      summary: `This browser has no WebGPU: the page runs on ${wasm}.${lost}`,
    };
  const { description, device, vendor, isFallbackAdapter } = adapter.info;
  const card = isFallbackAdapter
    ? "in software"
    : ([description, device, vendor].find((name) => name !== "") ?? "a GPU");
  const half = adapter.features.has("shader-f16") ? "" : ", without float16 arithmetic";
  const gpu: readonly [Engine["name"], string] = ["webgpu", `WebGPU, ${card}`];
  return {
    choices: isFallbackAdapter ? [["wasm", wasm], gpu] : [gpu, ["wasm", wasm]],
    threads,
    keepsFiles: keeps,
    summary: `This page runs on ${wasm}, or on WebGPU, ${card}${half}.${lost}`,
  };
}
