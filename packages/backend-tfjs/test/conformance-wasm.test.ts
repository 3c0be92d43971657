import { describeBackend } from "@finegrain/backend-testkit";
import { tfjsBackend } from "../src/index.ts";

describeBackend("tfjs:wasm", () => tfjsBackend({ device: "wasm" }));
