import type { Progress, Result } from "@finegrain/bench";
import { progressLine } from "../../output/progress.ts";
import type { Terminal } from "../../output/terminal.ts";
import { caseTable } from "./table.ts";

/** Milliseconds between two tables: intervals are drawn anew for each. */
const TABLE_INTERVAL = 500;

/**
 * Shows the case's table, which fills in as rounds are measured, over the activity and the time that it has left, counted
 * from its own first piece on.
 */
export function benchProgress(out: Terminal, backend: string): (progress: Progress) => void {
  let current: { key: string; started: number; first: number } | undefined;
  let drawn: { at: number; lines: readonly string[]; of: string } | undefined;
  const tableOf = (name: string, soFar: () => readonly Result[]) => {
    if (drawn === undefined || drawn.of !== name || performance.now() - drawn.at > TABLE_INTERVAL)
      drawn = { at: performance.now(), lines: caseTable(soFar()), of: name };
    return drawn.lines;
  };
  return ({ case: name, activity, done, of, soFar }) => {
    const key = `${name}: ${activity}`;
    if (current?.key !== key) current = { key, started: performance.now(), first: done };
    const { started } = current;
    out.progress(() => {
      const line = progressLine(done, of, (performance.now() - started) / 1000, [backend, key]);
      return [...tableOf(name, soFar), line].join("\n");
    });
  };
}
