import type { Backend } from "@finegrain/graph";
import { describe, expect, it } from "vitest";
import { everyNth } from "./every-nth.ts";
import { outcomeLine, runCase } from "./golden/runner.ts";
import { openHost } from "./host.ts";

/** The layers' golden cases, made by the papers' own code, on the backend. @param folder, step see `ConformanceOptions`. */
export function describeGolden(backend: () => Backend, folder?: string, step = 1): void {
  describe("agrees with the golden cases", async () => {
    const files = everyNth((await openHost()).goldenCases(folder), step);
    if (files.length === 0)
      it("has golden cases", ({ skip }) =>
        skip(
          "the golden cases are in finegrain's repository, not in the package: give their folder, { golden: FOLDER }",
        ));
    let passed = 0;
    // Each has its own time: a software driver takes seconds to compile one's kernels.
    for (const file of files)
      it(file.name, { timeout: 120_000 }, async () => {
        const outcome = await runCase(backend(), file);
        if (outcome.status === "ok") passed++;
        expect(outcome.status, outcomeLine(outcome)).not.toBe("FAIL");
      });
    if (files.length > 0) it("and can run some of them", () => expect(passed).toBeGreaterThan(0));
  });
}
