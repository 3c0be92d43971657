import { describeBackend } from "@finegrain/backend-testkit";
import { webgpuBackend } from "../src/index.ts";

describeBackend("webgpu in Chromium", () => webgpuBackend({ kernelsPerDispatch: 1 }), {
  storage: true,
  drawn: 1,
  goldenStep: 72,
  modelStep: 6, // the kernels are those that conformance.test.ts runs in Node, on all models
});
