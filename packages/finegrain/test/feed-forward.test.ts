import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { finegrain, folderWithText, TINY_OF_ANY_LAYER } from "./command-line.ts";

let folder: string;
let text: string;

beforeAll(async () => {
  ({ folder, text } = await folderWithText());
});

const train = (name: string, ...flags: string[]) =>
  finegrain(["train", ...TINY_OF_ANY_LAYER, "--data", text, "--out", join(folder, name), ...flags]);

const recordsOf = async (run: string) =>
  (await readFile(join(folder, run, "metrics.jsonl"), "utf8"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, number>);

const bitsPerByte = async (run: string, ...flags: string[]): Promise<number> => {
  const { code, stdout } = await finegrain([
    "evaluate",
    join(folder, run),
    "--backend",
    "reference",
    "--json",
    ...flags,
  ]);
  expect(code).toBe(0);
  return (JSON.parse(stdout) as { bitsPerByte: number }).bitsPerByte;
};

describe("every feed-forward layer trains, is evaluated and writes", () => {
  test.each([
    ["grouped", "grouped, 2 experts", []],
    ["mixture-of-tokens", "mixture-of-tokens, 4 experts", ["--experts", "4", "--group-size", "2"]],
    ["expert-choice", "expert-choice, 2 experts", ["--capacity", "1"]],
    ["token-choice", "token-choice, 4 experts", ["--experts", "4", "--top-k", "2", "--capacity", "2"]],
    ["block-sparse", "block-sparse, 8 experts", []],
    ["switch", "switch, 8 experts", []],
  ])("%s", async (name, words, flags) => {
    const { code, stdout, stderr } = await train(name, "--feed-forward", name, ...flags);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain(`(${words})`);
    const steps = (await recordsOf(name)).filter(({ loss }) => loss !== undefined);
    for (const metric of ["expertLoad.max", "expertLoad.min", "droppedTokens", "routerEntropy"])
      expect(steps.every((record) => Number.isFinite(record[metric]))).toBe(true);
    expect(await bitsPerByte(name, "--batch", "2")).toBeGreaterThan(1);
    expect(await bitsPerByte(name, "--batch", "2", "--as-decoded")).toBeGreaterThan(1);
    const generated = await finegrain(["generate", join(folder, name), "--backend", "reference", "--max-tokens", "3"], {
      stdin: "It was\n",
    });
    expect(generated.code).toBe(0);
  });
});

test("token choice reports its auxiliary losses", async () => {
  expect((await train("losses", "--feed-forward", "token-choice")).code).toBe(0);
  const [first] = await recordsOf("losses");
  expect(first!["loss.loadBalancing"]).toBeGreaterThan(0);
  expect(first!["loss.routerZ"]).toBeGreaterThan(0);
});

test("a masked language model trains, with groups along time too, and does not write", async () => {
  const flags = ["--objective", "masked", "--feed-forward", "grouped", "--group-along", "time", "--group-size", "4"];
  const { code, stdout } = await train("masked", ...flags);
  expect(code).toBe(0);
  expect(stdout).not.toContain("finegrain generate");
  expect(await bitsPerByte("masked", "--batch", "2")).toBeGreaterThan(1);
  const generated = await finegrain(["generate", join(folder, "masked"), "--backend", "reference", "--prompt", "It"]);
  expect(generated.code).toBe(1);
  expect(generated.stderr).toContain("a masked language model has no decode");
});

describe("refused in one sentence", () => {
  test.each([
    [
      ["--feed-forward", "grouped", "--group-along", "time", "--group-size", "4"],
      1,
      "the feed-forward layer grouped with these options cannot be in a causal language model: groups along time let a token see later ones",
    ],
    [["--feed-forward", "sparse", "--experts", "4"], 2, "--experts does not belong to --feed-forward sparse"],
    [["--feed-forward", "grouped", "--top-k", "2"], 2, "--top-k does not belong to --feed-forward grouped"],
    [["--feed-forward", "grouped", "--experts", "3"], 1, "dFf 16 is not a multiple of feedForward.experts 3"],
    [["--feed-forward", "grouped", "--group-size", "4"], 1, "batch 2 is not a multiple of groupSize 4"],
    [["--feed-forward", "moe"], 2, "--feed-forward must be one of dense, sparse, trax-sparse, grouped"],
  ])("%j", async (flags, code, message) => {
    const ended = await train("refused", ...flags);
    expect(ended.code).toBe(code);
    expect(ended.stderr).toContain(message);
    expect(ended.stderr.trim().split("\n").length).toBeLessThanOrEqual(2);
  });
});
