import { expect, test } from "vitest";
import { bytes, count, digits, duration, whole } from "../src/output/format.ts";
import { progressLine } from "../src/output/progress.ts";
import { table } from "../src/output/table.ts";

test.each([
  [digits(0.01234), "0.0123"],
  [digits(1.2345), "1.23"],
  [digits(12345.6), "12,346"],
  [digits(Number.NaN), "-"],
  [whole(1234567.8), "1,234,568"],
  [bytes(1_327_000_000), "1.33 GB"],
  [count(3_345_678), "3.35 M"],
  [count(12), "12"],
  [duration(4.24), "4.2 s"],
  [duration(59.97), "1 min 00 s"],
  [duration(125), "2 min 05 s"],
  [duration(7400), "2 h 03 min"],
])("%s", (shown, expected) => {
  expect(shown).toBe(expected);
});

test("a table is as wide as its cells", () => {
  const columns = [
    { title: "name", align: "left" as const },
    { title: "n", align: "right" as const },
  ];
  expect(
    table(columns, [
      ["dense", "1"],
      ["sparse-ff", "23"],
    ]),
  ).toBe(["name        n", "─────────  ──", "dense       1", "sparse-ff  23"].join("\n"));
});

test("progress tells the part, the facts and the time left", () => {
  expect(progressLine(25, 100, 10, ["step 25"])).toBe("━━━━━───────────────   25 %  30 s left  step 25");
  // Of a run that went on: the share of all, and the time by the pace since.
  expect(progressLine(80, 200, 10, [], 60)).toBe("━━━━━━━━────────────   40 %  1 min 00 s left");
});
