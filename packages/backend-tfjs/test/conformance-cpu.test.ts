import { describeBackend } from "@finegrain/backend-testkit";
import { tfjsBackend } from "../src/index.ts";

describeBackend("tfjs:cpu", () => tfjsBackend({ device: "cpu" }), { drawn: 5 });
