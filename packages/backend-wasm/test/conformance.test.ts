import { describeBackend } from "@finegrain/backend-testkit";
import { wasmBackend } from "../src/index.ts";

describeBackend("wasm on one thread", async () => wasmBackend({ threads: 1 }), { storage: true });
describeBackend("wasm on two threads", async () => wasmBackend({ threads: 2 }), { storage: true });
