import type { Result } from "@finegrain/bench";
import { markdownTable } from "../../output/table.ts";
import type { Terminal } from "../../output/terminal.ts";
import { csvLines } from "./csv.ts";
import { caseTable, machineLine } from "./table.ts";

/** In what form results are printed: as tables for people, or as text for other programs. */
export type Form = "plain" | "markdown" | "csv";

/** A case's results under its name, over what they were measured on. */
export function printCase(out: Terminal, results: readonly Result[], form: Form = "plain"): void {
  const [first] = results;
  if (first === undefined) return;
  const title = `${first.case} (${first.phase}, ${first.backend})`;
  switch (form) {
    case "csv":
      out.write(csvLines(results));
      break;
    case "markdown":
      out.write(`\n### ${title}\n\n${[...caseTable(results, markdownTable), machineLine(results)].join("\n\n")}\n`);
      break;
    case "plain":
      out.print(`\n${out.style.bold(title)}`);
      for (const line of caseTable(results)) out.print(line);
      out.print(out.style.dim(machineLine(results)));
  }
}
