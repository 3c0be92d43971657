import { FinegrainError } from "@finegrain/graph";

/*
 * WebGPU in Node. A module of its own, which the `browser` field of package.json takes out of bundles for pages: Dawn's
 * package imports modules of Node.
 */

/**
 * A new instance of Dawn, with its constants made global as in a page.
 * @throws FinegrainError where the package `webgpu` is not installed or does not load here.
 */
export async function createDawn(): Promise<GPU> {
  const { create, globals } = await import("webgpu").catch((cause: Error & { code?: string }) => {
    const reason =
      cause.code === "ERR_MODULE_NOT_FOUND"
        ? "needs the package webgpu: npm install webgpu"
        : `is not there: the package webgpu does not load (${cause.message.split("\n")[0]})`;
    throw new FinegrainError(`WebGPU in Node ${reason}`, { cause });
  });
  Object.assign(globalThis, globals);
  return create([
    // Our shaders stay within their buffers by themselves: an index that is data is clamped. Checks of every access would come on top.
    "enable-dawn-features=disable_robustness",
    // Kernels take microseconds, and pages on the web are told of hundredths of milliseconds.
    "disable-dawn-features=timestamp_quantization",
  ]);
}
