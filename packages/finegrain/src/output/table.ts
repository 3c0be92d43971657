/** A column: its title, and on which side its cells begin. */
export interface Column {
  readonly title: string;
  readonly align: "left" | "right";
}

/** Rows under their titles, every column as wide as its widest cell. A line without its last empty cells. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const widths = columns.map(({ title }, c) => Math.max(title.length, ...rows.map((row) => (row[c] ?? "").length)));
  const line = (cells: readonly string[]) =>
    columns
      .map(({ align }, c) =>
        align === "left" ? (cells[c] ?? "").padEnd(widths[c]!) : (cells[c] ?? "").padStart(widths[c]!),
      )
      .join("  ")
      .trimEnd();
  const rule = widths.map((width) => "─".repeat(width)).join("  ");
  return [line(columns.map(({ title }) => title)), rule, ...rows.map(line)].join("\n");
}
