import { describeBackend } from "@finegrain/backend-testkit";
import { tfjsBackend } from "../src/index.ts";

// Opened here: on a busy machine, loading tfjs takes longer than a hook may.
const backend = await tfjsBackend({ device: "wasm" });
describeBackend("tfjs:wasm", async () => backend);
