// @module-tag webgpu
import { describeOps } from "@finegrain/backend-testkit";
import type { Backend } from "@finegrain/graph";
import { afterAll, beforeAll, describe } from "vitest";
import { webgpuBackend } from "../src/index.ts";
import { asGpu } from "./as-gpu.ts";

process.env.GALLIVM_PERF ??= "nopt";

describe.each([true, false])("webgpu as a GPU, subgroups: %s", (subgroups) => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await webgpuBackend({ gpu: await asGpu(), kernelsPerDispatch: 1, subgroups });
  });
  afterAll(async () => backend?.[Symbol.asyncDispose]());
  describeOps(() => backend, 2e-5, 1);
});
