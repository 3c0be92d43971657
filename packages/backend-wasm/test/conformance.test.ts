import { describeBackend } from "@finegrain/backend-testkit";
import { detectFeatures } from "../src/features.ts";
import { wasmBackend } from "../src/index.ts";

const features = detectFeatures();

describeBackend("wasm on one thread", () => wasmBackend({ threads: 1 }), { storage: true });
describeBackend("wasm on two threads", () => wasmBackend({ threads: 2 }), { storage: true });
// What only newer runtimes have: .ci/run has these tests run on Node 24 too.
if (features.relaxed)
  describeBackend("wasm without relaxed SIMD", () => wasmBackend({ threads: 2, relaxed: false }), {
    storage: true,
  });
if (features.memory64)
  describeBackend("wasm with memory64", () => wasmBackend({ threads: 2, memory64: true }), { storage: true });
