import type { Backend } from "@finegrain/graph";
import { expect, it } from "vitest";
import { everyNth } from "./every-nth.ts";
import { outcomeLine, runCase } from "./golden/runner.ts";
import { openHost } from "./host.ts";

/** The layers' golden cases, made by the papers' own code, on the backend. @param folder, step see `ConformanceOptions`. */
export function describeGolden(backend: () => Backend, folder?: string, step = 1): void {
  it("agrees with the golden cases", { timeout: 300_000 }, async ({ skip }) => {
    const files = everyNth((await openHost()).goldenCases(folder), step);
    if (files.length === 0)
      skip("the golden cases are in finegrain's repository, not in the package: give their folder, { golden: FOLDER }");
    const outcomes = [];
    for (const file of files) outcomes.push(await runCase(backend(), file));
    expect(outcomes.filter(({ status }) => status === "FAIL").map(outcomeLine)).toEqual([]);
    expect(outcomes.some(({ status }) => status === "ok")).toBe(true);
  });
}
