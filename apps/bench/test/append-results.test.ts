import { lstat, mkdtemp, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { appendResults } from "../src/results/append-results.ts";
import { readEvidence } from "../src/results/evidence.ts";
import type { Failure } from "../src/results/result.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "results-"));
});

const result = (variant: string): Failure => ({
  suite: "s",
  case: "c",
  phase: "decode",
  backend: "onnx:cpu",
  device: "a processor",
  variant,
  versions: {},
  machine: { cpu: "a processor", threads: 2, memoryBytes: 1, os: "linux", peakMemoryBytes: 1 },
  error: "out of memory",
});

test("keeps what was there, and leaves nothing beside it", async () => {
  const path = join(folder, "results.jsonl");
  await appendResults(path, [result("dense")]);
  await appendResults(path, []);
  await appendResults(path, [result("sparse"), result("grouped")]);
  expect((await readEvidence(path)).results.map(({ variant }) => variant)).toEqual(["dense", "sparse", "grouped"]);
  expect(await readdir(folder)).toEqual(["results.jsonl"]);
});

test("a last line that was never ended is kept apart", async () => {
  const path = join(folder, "results.jsonl");
  await writeFile(path, JSON.stringify(result("dense")));
  await appendResults(path, [result("sparse")]);
  expect((await readEvidence(path)).results).toHaveLength(2);
});

test("of a link, the file behind it is written", async () => {
  const [path, link] = [join(folder, "results.jsonl"), join(folder, "link.jsonl")];
  await writeFile(path, "");
  await symlink(path, link);
  await appendResults(link, [result("dense")]);
  expect(await readFile(path, "utf8")).toContain('"dense"');
  expect((await lstat(link)).isSymbolicLink()).toBe(true);
});
