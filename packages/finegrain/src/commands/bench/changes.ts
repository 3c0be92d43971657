import { type Change, isFailure, MARGINS } from "@finegrain/bench";
import { digits } from "../../output/format.ts";
import { table } from "../../output/table.ts";
import { left, range, right } from "./table.ts";

const PERCENT = Object.entries(MARGINS)
  .map(([what, margin]) => `${what} ${margin * 100} %`)
  .join(", ");

/** What changed between two runs, and by which rule, as lines of text. */
export function changesTable(changes: readonly Change[], unmatched: number): string[] {
  const rows = changes.map(({ now, verdict, compared }) => [
    `${now.case}: ${now.variant}`,
    now.backend,
    compared?.what ?? "-",
    compared ? `${digits(compared.before.median)} (${range(compared.before)})` : "-",
    compared ? `${digits(compared.now.median)} (${range(compared.now)})` : "-",
    compared ? `${digits((compared.now.median / compared.before.median - 1) * 100)} %` : "-",
    verdict,
  ]);
  const columns = [
    left("case"),
    left("backend"),
    left("compared"),
    ...["before", "now", "change"].map(right),
    left(""),
  ];
  return [
    table(columns, rows),
    `a change is one whose intervals do not overlap and that is larger than its margin (${PERCENT}); a speed of before is scaled to the machine's limits of now`,
    ...(unmatched > 0 ? [`${unmatched} results have none to be compared with`] : []),
    ...changes.flatMap(({ now, verdict }) =>
      verdict === "fails now" && isFailure(now) ? [`${now.variant} fails now: ${now.error}`] : [],
    ),
  ];
}
