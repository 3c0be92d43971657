import { fileURLToPath } from "node:url";
import type { Backend } from "@finegrain/graph";
import { expect, it } from "vitest";
import { caseFiles, outcomeLine, runCase } from "./golden/runner.ts";

/** Beside `src` here, and beside `dist` where the package is installed. */
const CASES = fileURLToPath(new URL("../golden", import.meta.url));

/** Every layer's golden case, made by the papers' own code, on the backend. */
export function describeGolden(backend: () => Backend): void {
  it("agrees with the golden cases", { timeout: 120_000 }, async () => {
    const outcomes = [];
    for (const path of caseFiles(CASES)) outcomes.push(await runCase(backend(), path));
    expect(outcomes.filter(({ status }) => status === "FAIL").map(outcomeLine)).toEqual([]);
    expect(outcomes.some(({ status }) => status === "ok")).toBe(true);
  });
}
