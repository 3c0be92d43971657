import { profileSuite, type RunOptions, type Suite } from "@finegrain/bench";
import type { KernelTime } from "@finegrain/graph";
import { bytes, digits, flopRate, whole } from "../../output/format.ts";
import { table } from "../../output/table.ts";
import type { Terminal } from "../../output/terminal.ts";
import { left, right, share } from "./table.ts";

/** Lines of a profile. */
const LONGEST = 25;

/** A table of kernels for every variant, the longest first; what is the same in every layer is one line. */
export async function printProfiles(out: Terminal, suite: Suite, options: RunOptions): Promise<void> {
  for await (const { case: name, variant, milliseconds, kernels } of profileSuite(suite, options)) {
    out.clear();
    out.print(`\n${out.style.bold(`${name}: ${variant}`)}, ${digits(milliseconds)} ms with the clocks`);
    out.print(kernelTable(kernels));
  }
  out.clear();
}

function kernelTable(kernels: readonly KernelTime[]): string {
  const groups = new Map<string, KernelTime[]>();
  for (const kernel of kernels) {
    const key = `${kernel.name} ${kernel.flops} ${kernel.bytes}`;
    groups.set(key, [...(groups.get(key) ?? []), kernel]);
  }
  const rows = [...groups.values()].map((group) => {
    const { name, flops, bytes: traffic } = group[0]!; // no group is empty
    const ms = group.reduce((sum, kernel) => sum + kernel.milliseconds / kernel.runs, 0);
    return {
      name,
      count: group.length,
      ms,
      bytesPerSecond: (1000 * group.length * traffic) / ms,
      flopsPerSecond: (1000 * group.length * flops) / ms,
    };
  });
  const all = rows.reduce((sum, { ms }) => sum + ms, 0);
  return table(
    [left("kernel"), ...["kernels", "ms", "of all", "memory", "arithmetic"].map(right)],
    rows
      .toSorted((a, b) => b.ms - a.ms)
      .slice(0, LONGEST)
      .map((row) => [
        row.name,
        whole(row.count),
        digits(row.ms),
        share(row.ms / all),
        `${bytes(row.bytesPerSecond)}/s`,
        flopRate(row.flopsPerSecond),
      ]),
  );
}
