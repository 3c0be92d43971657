import { describeBackend } from "@finegrain/backend-testkit";
import { webgpuBackend } from "../src/index.ts";

describeBackend("webgpu", () => webgpuBackend(), { storage: true });
