// @module-tag webgpu
import { describeOps } from "@finegrain/backend-testkit";
import type { Backend } from "@finegrain/graph";
import { afterAll, beforeAll, describe } from "vitest";
import { webgpuBackend } from "../src/index.ts";

// As in conformance.test.ts, whose adapter has subgroups: most of the time is lavapipe's compiler's.
process.env.GALLIVM_PERF ??= "nopt";

describe("webgpu without subgroups", () => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await webgpuBackend({ kernelsPerDispatch: 1, subgroups: false });
  });
  afterAll(async () => backend?.[Symbol.asyncDispose]());
  describeOps(() => backend, 2e-5, 1);
});
