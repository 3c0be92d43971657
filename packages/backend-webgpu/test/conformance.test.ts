// @module-tag webgpu
import { describeBackend } from "@finegrain/backend-testkit";
import { webgpuBackend } from "../src/index.ts";

// Most of these tests' time goes into lavapipe's compiler: it may leave its optimisations out.
process.env.GALLIVM_PERF ??= "nopt";

describeBackend("webgpu", () => webgpuBackend({ kernelsPerDispatch: 1 }), {
  storage: true,
  drawn: 8,
  goldenStep: 6,
});
