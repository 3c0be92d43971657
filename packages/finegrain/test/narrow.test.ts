import { execFile } from "node:child_process";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { quoted } from "../src/output/hint.ts";
import { progressLine } from "../src/output/progress.ts";
import { table } from "../src/output/table.ts";
import { emptyFolder, finegrain, MAIN, TEXT, TINY } from "./command-line.ts";

/** Run the command at a terminal of 80 columns, by util-linux's `script`. @returns what it shows, without colours. */
async function atTerminal(...args: string[]): Promise<string> {
  const line = ["stty", "cols", "80", "rows", "24;", process.execPath, MAIN, ...args.map(quoted)].join(" ");
  const { stdout } = await promisify(execFile)("script", ["-qec", line, "/dev/null"]);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the escapes are what is taken away
  return stdout.replace(/\x1b\[\d*[mKA]/g, "").replaceAll("\r\n", "\n");
}
const isLinux = process.platform === "linux";
const shownLines = (text: string) => text.split("\n").map((line) => line.split("\r").at(-1)!);

const MODEL = { vocabulary: 16, dModel: 8, dFf: 16, layers: 1, heads: 2, maxLength: 16 };
const SPARSE = { feedForward: { type: "sparse", blockSize: 4, rank: 2 } };

test.runIf(isLinux)("a table of the benchmark is folded where the terminal is narrow", async () => {
  const suite = join(await emptyFolder(), "tiny.json");
  const variants = [
    { name: "dense", model: {} },
    { name: "sparse-ff", model: SPARSE },
  ];
  const measure = { prompt: 4, units: 2, rounds: 3, warmup: 0 };
  const cases = [{ name: "first", phase: "decode", model: MODEL, variants, measure }];
  await writeFile(suite, JSON.stringify({ name: "tiny", title: "as small as it gets", cases }));
  const shown = shownLines(await atTerminal("bench", suite, "--backend", "reference"));
  for (const line of shown) expect(line.length, line).toBeLessThanOrEqual(80);
  expect(shown.filter((line) => line.startsWith("sparse-ff ")).length).toBeGreaterThan(1);
});

test.runIf(isLinux)("help and what training says fit, too", async () => {
  const folder = await emptyFolder();
  await writeFile(join(folder, "text.txt"), TEXT);
  const data = ["--data", join(folder, "text.txt"), "--out", join(folder, "a")];
  for (const line of shownLines(await atTerminal("train", ...TINY, ...data)))
    if (!line.includes("/")) expect(line.length, line).toBeLessThanOrEqual(80);
  for (const page of [["help"], ["train", "--help"], ["help", "generate"]])
    for (const line of shownLines(await atTerminal(...page))) expect(line.length, line).toBeLessThanOrEqual(80);
});

test("a folded table repeats its first column, and has every cell once", () => {
  const columns = ["name", "one", "two", "three"].map((title) => ({ title, align: "left" as const }));
  const cells = [["a", "1".repeat(9), "2".repeat(9), "3".repeat(9)]];
  const parts = table(columns, cells, 30).split("\n\n");
  expect(parts.map((part) => part.split("\n")[2])).toEqual(["a     111111111  222222222", "a     333333333"]);
  expect(table(columns, cells, 200).split("\n")).toHaveLength(3);
});

test("the time left is never what is cut", () => {
  expect(progressLine(1, 100, 10, ["x".repeat(200)]).slice(0, 60)).toContain("16 min 30 s left");
});

test("finegrain help COMMAND is the command's page, with its flags in groups", async () => {
  const [asked, shown] = [await finegrain(["help", "train"]), await finegrain(["train", "--help"])];
  expect(asked).toMatchObject({ code: 0, stdout: shown.stdout });
  for (const title of ["The run", "How long it learns", "The model's size", "How it learns", "Flags"])
    expect(shown.stdout).toContain(`\n${title}:\n`);
  expect(shown.stdout.match(/^ {2}--steps /gm)).toHaveLength(1);
  expect((await finegrain(["help", "tarin"])).stderr).toMatch(/did you mean train/);
});

test("bench's help lists every suite that comes along", async () => {
  const { stdout } = await finegrain(["bench", "--help"]);
  const suites = fileURLToPath(new URL("../../../benchmarks/suites", import.meta.url));
  for (const file of await readdir(suites)) expect(stdout).toMatch(new RegExp(`\\b${file.replace(".json", "")},`));
});

const onSoftware = { tags: "webgpu/software", timeout: 120_000 };
test("devices tells the facts of one adapter once, and calls software software", onSoftware, async () => {
  const { stdout } = await finegrain(["devices"]);
  expect(stdout.match(/maxStorageBufferBindingSize/g)).toHaveLength(1);
  expect(stdout).toMatch(/webgpu:software +yes .*no GPU but software/);
});
