import { describeBackend } from "@finegrain/backend-testkit";
import { wasmBackend } from "../src/index.ts";

// The code is what conformance.test.ts runs in Node, on all models.
const options = { storage: true, drawn: 2, goldenStep: 12, modelStep: 6 };

describeBackend("wasm in Chromium on one thread", () => wasmBackend({ threads: 1 }), options);
describeBackend("wasm in Chromium on two threads", () => wasmBackend({ threads: 2 }), options);
