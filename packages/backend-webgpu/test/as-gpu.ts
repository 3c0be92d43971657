import { altered, alteredGpu } from "./altered-gpu.ts";

/** The adapter here is a CPU: this one is written for as if it were a GPU. */
export const asGpu = (): Promise<GPU> =>
  alteredGpu(
    () => ({}),
    ({ info }) => ({ info: altered(info, { isFallbackAdapter: false }) }),
  );
