import type { Backend } from "@finegrain/graph";
import { expect, it } from "vitest";
import { outcomeLine, runCase } from "./golden/runner.ts";
import { openHost } from "./host.ts";

/** Every layer's golden case, made by the papers' own code, on the backend. */
export function describeGolden(backend: () => Backend): void {
  it("agrees with the golden cases", { timeout: 300_000 }, async () => {
    const host = await openHost();
    const outcomes = [];
    for (const file of host.goldenCases()) outcomes.push(await runCase(backend(), file));
    expect(outcomes.filter(({ status }) => status === "FAIL").map(outcomeLine)).toEqual([]);
    expect(outcomes.some(({ status }) => status === "ok")).toBe(true);
  });
}
