import { describeProducts } from "@finegrain/backend-testkit";
import type { Backend } from "@finegrain/graph";
import { afterAll, beforeAll, describe } from "vitest";
import { webgpuBackend } from "../src/index.ts";
import { altered, alteredGpu } from "./altered-gpu.ts";

process.env.GALLIVM_PERF ??= "nopt";

/** The adapter here is a CPU: this one is written for as if it were a GPU, in tiles of workgroup memory. */
const asHardware = () =>
  alteredGpu(
    () => ({}),
    ({ info }) => ({ info: altered(info, { isFallbackAdapter: false }) }),
  );

const ways: Record<string, () => Promise<Backend>> = {
  "in lanes, as for a CPU": () => webgpuBackend(),
  "in tiles, as for a GPU": async () => webgpuBackend({ gpu: await asHardware() }),
};

describe.each(Object.entries(ways))("products %s", (_, open) => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await open();
  });
  afterAll(async () => backend?.[Symbol.asyncDispose]());
  describeProducts(() => backend);
});
