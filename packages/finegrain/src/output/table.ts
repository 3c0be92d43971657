/** A column: its title, and on which side its cells begin. */
export interface Column {
  readonly title: string;
  readonly align: "left" | "right";
}

const GAP = "  ";

/**
 * Rows under their titles, every column as wide as its widest cell. A line without its last empty cells. Columns that do not fit into
 * the width go into further tables below, each with the first column before them.
 *
 * @param width of the terminal; default that of stdout, and endless where it is none.
 */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width = process.stdout.columns ?? Number.POSITIVE_INFINITY,
): string {
  const cells = columns.map(({ title, align }, c) => {
    const all = [title, ...rows.map((row) => row[c] ?? "")];
    const widest = Math.max(...all.map((cell) => cell.length));
    const padded = all.map((cell) => (align === "left" ? cell.padEnd(widest) : cell.padStart(widest)));
    return [padded[0]!, "─".repeat(widest), ...padded.slice(1)]; // the title is there
  });
  return folded(cells, width)
    .map((part) =>
      part[0]!
        .map((_, r) =>
          part
            .map((column) => column[r])
            .join(GAP)
            .trimEnd(),
        )
        .join("\n"),
    )
    .join("\n\n");
}

/** Columns of equally wide cells in tables that fit. */
function folded([first, ...others]: string[][], width: number): string[][][] {
  if (first === undefined) return [];
  const tables = [[first]];
  const widthOf = (part: string[][]) =>
    part.reduce((sum, [title = ""]) => sum + title.length + GAP.length, -GAP.length);
  for (const column of others) {
    const last = tables.at(-1)!; // there is one
    if (last.length === 1 || widthOf([...last, column]) <= width) last.push(column);
    else tables.push([first, column]);
  }
  return tables;
}

/** The same as a table of Markdown. */
export function markdownTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  const sides = columns.map(({ align }) => (align === "left" ? "---" : "---:"));
  return [line(columns.map(({ title }) => title)), line(sides), ...rows.map(line)].join("\n");
}
