import { describeBackend } from "@finegrain/backend-testkit";
import { wasmBackend } from "../src/index.ts";

describeBackend("wasm in Chromium on one thread", () => wasmBackend({ threads: 1 }), { storage: true });
describeBackend("wasm in Chromium on two threads", () => wasmBackend({ threads: 2 }), { storage: true });
