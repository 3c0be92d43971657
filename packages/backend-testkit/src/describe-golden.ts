import type { Backend } from "@finegrain/graph";
import { expect, it } from "vitest";
import { outcomeLine, runCase } from "./golden/runner.ts";
import { openHost } from "./host.ts";

/** Every layer's golden case, made by the papers' own code, on the backend. @param folder see `ConformanceOptions`. */
export function describeGolden(backend: () => Backend, folder?: string): void {
  it("agrees with the golden cases", { timeout: 300_000 }, async ({ skip }) => {
    const files = (await openHost()).goldenCases(folder);
    if (files.length === 0)
      skip("the golden cases are in finegrain's repository, not in the package: give their folder, { golden: FOLDER }");
    const outcomes = [];
    for (const file of files) outcomes.push(await runCase(backend(), file));
    expect(outcomes.filter(({ status }) => status === "FAIL").map(outcomeLine)).toEqual([]);
    expect(outcomes.some(({ status }) => status === "ok")).toBe(true);
  });
}
