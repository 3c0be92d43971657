import type { Result } from "@finegrain/bench";
import type { Terminal } from "../../output/terminal.ts";
import { caseTable, machineLine } from "./table.ts";

/** A case's results under its name, over what they were measured on. */
export function printCase(out: Terminal, results: readonly Result[]): void {
  const [first] = results;
  if (first === undefined) return;
  out.print(`\n${out.style.bold(`${first.case} (${first.phase}, ${first.backend})`)}`);
  for (const line of caseTable(results)) out.print(line);
  out.print(out.style.dim(machineLine(results)));
}
