import { describeBackend } from "@finegrain/backend-testkit";
import { tfjsBackend } from "../src/index.ts";

describeBackend("tfjs:native", () => tfjsBackend({ device: "native" }));
