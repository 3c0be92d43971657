import { mkdir, mkdtemp, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readRecorded } from "../src/report/recorded.ts";
import { tablesPage } from "../src/report/tables.ts";
import type { Result } from "../src/results/result.ts";
import { everySection, measurement } from "./report-lines.ts";

const results = fileURLToPath(new URL("../../../benchmarks/results", import.meta.url));

test("the tables of benchmarks/results are what its files make", async () => {
  const page = await readFile(`${results}/README.md`, "utf8");
  const { order, orderPath, ...recorded } = await readRecorded(results);
  const how = "run npm run benchmarks";
  expect(await readFile(orderPath, "utf8"), how).toBe(order);
  expect(tablesPage(recorded) === page, how).toBe(true);
});

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "finegrain-recorded-"));
  await mkdir(join(folder, "a-machine"));
});
afterEach(() => rm(folder, { recursive: true }));

const write = async (name: string, written: number, ...results: readonly Result[]) => {
  const path = join(folder, "a-machine", `${name}.jsonl`);
  await writeFile(path, results.map((result) => `${JSON.stringify(result)}\n`).join(""));
  await utimes(path, written, written);
};
const made = async () => tablesPage(await readRecorded(folder));

test("the newest line counts, by the order of the files and in a file", async () => {
  await write("b", 1, measurement({ rounds: 11 }), measurement({ rounds: 22 }));
  expect(await made()).toMatch(/\| 22 \|/);
  await write("a", 2, measurement({ rounds: 33 }));
  const { order, orderPath } = await readRecorded(folder);
  expect(order).toBe("a-machine/b.jsonl\na-machine/a.jsonl\n");
  expect(await made()).toMatch(/\| 33 \|.*\[a\]\(a-machine\/a\.jsonl\)/);
  expect(await made()).not.toMatch(/\| (11|22) \|/);
  // Once written, the order stays, whatever happens to the files' times.
  await writeFile(orderPath, order);
  await write("a", 0, measurement({ rounds: 33 }));
  expect((await readRecorded(folder)).order).toBe(order);
});

test("every kind of line has a row, failures too, and text breaks no table", async () => {
  await write("all", 1, ...everySection, measurement({ variant: "a|b <c>" }));
  const page = await made();
  expect(page).toContain("failed: out of memory");
  expect(page).toContain("a\\|b \\<c\\>");
  const rows = page
    .split("\n")
    .filter((line) => line.startsWith("| ") && page.indexOf(line) > page.indexOf("## a-machine"));
  for (const row of rows) expect(row.replaceAll("\\|", "").split("|").length, row).toBe(11);
});

test("a file that the order names must be there", async () => {
  await writeFile(join(folder, "order.txt"), "a-machine/gone.jsonl\n");
  await expect(readRecorded(folder)).rejects.toThrow("names a-machine/gone.jsonl, which is not there");
});
