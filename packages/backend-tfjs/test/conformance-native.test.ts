import { describeBackend } from "@finegrain/backend-testkit";
import { test } from "vitest";
import { tfjsBackend } from "../src/index.ts";
import { isNativeTested, NOT_INSTALLED } from "./engines.ts";

if (isNativeTested) describeBackend("tfjs:native", () => tfjsBackend({ device: "native" }));
else test.skip(NOT_INSTALLED, () => {});
