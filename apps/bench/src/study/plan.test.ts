import { expect, test } from "vitest";
import { runCount, runsToMake, type StudyRun } from "./plan.ts";
import type { StudyResult } from "./result.ts";
import { parseStudy } from "./study.ts";

const study = parseStudy(
  {
    title: "two models",
    model: { dModel: 16, dFf: 32, layers: 1, heads: 2 },
    training: { steps: 100, length: 16 },
    rates: [0.001, 0.002],
    seeds: [1, 2],
    variants: [
      { name: "dense" },
      { name: "sparse", model: { feedForward: { type: "sparse", blockSize: 4 } }, rates: [0.004], seeds: [1] },
    ],
  },
  "studies/two.json",
);

const resultOf = ({ variant, ...run }: StudyRun, bitsPerByte: number): StudyResult => ({
  study: study.name,
  variant: variant.name,
  ...run,
  bitsPerByte,
  tokensPerStep: 512,
  parameters: 1,
  bitsPerByteAsDecoded: bitsPerByte,
  curve: [],
  flopsPerToken: 1,
  bytesPerToken: 1,
  feedForwardBytesPerToken: 1,
  secondsPerStep: 1,
  backend: "reference",
  versions: {},
});

const names = (runs: readonly StudyRun[]) =>
  runs.map(({ variant, role, rate, seed, steps }) => `${variant.name} ${role} ${rate} ${seed} ${steps}`);

test("rates are tried on a part of the steps, and a variant with one rate goes without", () => {
  expect(names(runsToMake(study, []))).toEqual([
    "dense rate 0.001 1 25",
    "dense rate 0.002 1 25",
    "sparse whole 0.004 1 100",
  ]);
  expect(runCount(study)).toBe(5);
});

test("whole runs are at the rate whose short run ended best, seed by seed; single seeds come before the second", () => {
  const tuned = runsToMake(study, []).slice(0, 2);
  const results = [resultOf(tuned[0]!, 3), resultOf(tuned[1]!, 2)];
  expect(names(runsToMake(study, results))).toEqual([
    "dense whole 0.002 1 100",
    "sparse whole 0.004 1 100",
    "dense whole 0.002 2 100",
  ]);
});

test("what has ended is not run again, and a study ends", () => {
  const results: StudyResult[] = [];
  const made: string[] = [];
  for (let open = runsToMake(study, results); open.length > 0; open = runsToMake(study, results)) {
    made.push(...names(open.slice(0, 1)));
    results.push(resultOf(open[0]!, results.length));
  }
  expect(made).toHaveLength(runCount(study));
  expect(new Set(made).size).toBe(made.length);
});

test("results of another study or of other steps do not count", () => {
  const [first] = runsToMake(study, []);
  const other = { ...resultOf(first!, 1), study: "another" };
  const shorter = { ...resultOf(first!, 1), steps: 10 };
  expect(names(runsToMake(study, [other, shorter]))).toHaveLength(3);
});
