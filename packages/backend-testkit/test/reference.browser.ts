import { referenceBackend } from "@finegrain/graph";
import { describe } from "vitest";
import { describeGolden } from "../src/describe-golden.ts";
import { describeMemory } from "../src/describe-memory.ts";

// The rest of the suite compares with the reference itself: there are only other backends to learn about.
describe("reference in Chromium", () => {
  const backend = referenceBackend();
  describeGolden(() => backend, undefined, 8);
  describeMemory(() => backend);
});
