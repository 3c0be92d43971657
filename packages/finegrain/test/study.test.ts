import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { finegrain, folderWithText } from "./command-line.ts";

let folder: string;

beforeAll(async () => {
  ({ folder } = await folderWithText());
  const sparse = {
    name: "sparse",
    model: { feedForward: { type: "sparse", blockSize: 4, rank: 2 } },
    equalTo: "dense",
  };
  const study = {
    title: "tiny models",
    data: "text.txt",
    model: { dModel: 16, dFf: 64, layers: 1, heads: 2, positions: "rotary" },
    training: { steps: 8, batch: 2, length: 16 },
    tuning: 0.5,
    rates: [0.001, 0.01],
    seeds: [1],
    variants: [{ name: "dense" }, { ...sparse, rates: [0.01], seeds: [1, 2] }],
  };
  await writeFile(join(folder, "tiny.json"), JSON.stringify(study));
});

const STUDY = ["study", "tiny.json", "--backend", "wasm", "--no-speed"];
const lines = async () =>
  (await readFile(join(folder, "tiny.jsonl"), "utf8"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

test("a study that was stopped makes the runs that are missing, and no other", async () => {
  let isStopping = false;
  const stopped = await finegrain(STUDY, {
    cwd: folder,
    onOutput: (stdout, kill) => {
      if (isStopping || !stdout.includes("run 4 of 5")) return;
      isStopping = true; // a second signal would stop it at once
      kill("SIGINT");
    },
  });
  expect(stopped).toMatchObject({ code: 130 });
  expect(stopped.stdout).toMatch(/go on with: .*finegrain .*study tiny.json --json tiny.jsonl --out runs\/tiny$/m);
  const before = await lines();
  expect(before.length).toBeLessThan(5);
  const ended = await finegrain(STUDY, { cwd: folder });
  expect(ended).toMatchObject({ code: 0 });
  const after = await lines();
  expect(after.slice(0, before.length)).toEqual(before);
  expect(after.map(({ variant, role, seed }) => `${variant} ${role} ${seed}`).sort()).toEqual([
    "dense rate 1",
    "dense rate 1",
    "dense whole 1",
    "sparse whole 1",
    "sparse whole 2",
  ]);
  expect(ended.stdout).toMatch(/^sparse .* 2 seeds/m);
});

test("what has ended is not trained again, and its table and charts are there", async () => {
  await rm(join(folder, "runs"), { recursive: true });
  const again = await finegrain(STUDY, { cwd: folder });
  expect(again.stdout).not.toContain("step 1");
  expect(again.stdout).toMatch(/^dense .* \+0.00 %/m);
  const report = await finegrain(["report", "tiny.jsonl", "--out", "report"], { cwd: folder });
  expect(report).toMatchObject({ code: 0 });
  const page = await readFile(join(folder, "report/index.html"), "utf8");
  for (const chart of ["tiny: by steps", "tiny: by arithmetic", "tiny: by bytes read for a token"])
    expect(page).toContain(chart);
});

test("a study that is none is told in one sentence", async () => {
  await writeFile(join(folder, "wrong.json"), '{"title": "x"}');
  const { code, stderr } = await finegrain(["study", "wrong.json"], { cwd: folder });
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('wrong.json has no "model"') });
});
