import { describeBackend } from "@finegrain/backend-testkit";
import { test } from "vitest";
import { tfjsBackend } from "../src/index.ts";
import { isNativeTested } from "./engines.ts";

if (isNativeTested) {
  // Opened here: on a busy machine, loading TensorFlow takes longer than a hook may.
  const backend = await tfjsBackend({ device: "native" });
  describeBackend("tfjs:native", async () => backend);
} else test.skip("tfjs:native is not installed", () => {});
