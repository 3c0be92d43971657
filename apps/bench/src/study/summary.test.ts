import { expect, test } from "vitest";
import type { StudyResult } from "./result.ts";
import { studyProblem } from "./result.ts";
import { summarize } from "./summary.ts";

const run = (variant: string, seed: number, bits: number, over: Partial<StudyResult> = {}): StudyResult => ({
  study: "s",
  variant,
  role: "whole",
  rate: 0.002,
  seed,
  steps: 10,
  tokensPerStep: 512,
  parameters: 1000,
  bitsPerByte: bits,
  bitsPerByteAsDecoded: bits,
  curve: [
    [5, bits + 1],
    [10, bits],
  ],
  flopsPerToken: 6000,
  bytesPerToken: 4000,
  feedForwardBytesPerToken: 2000,
  secondsPerStep: 1 + seed,
  backend: "onnx:cpu",
  versions: {},
  ...over,
});

test("means, best and worst of the seeds, and the share over the first variant", () => {
  const runs = [
    run("dense", 1, 2),
    run("dense", 2, 2.2),
    run("sparse", 1, 2.121),
    run("sparse", 9, 9, { role: "rate" }),
  ];
  const [dense, sparse] = summarize(runs, []);
  expect(dense).toMatchObject({ name: "dense", seeds: 2, overFirst: 0, secondsPerStep: 2, comparable: false });
  expect(dense!.bitsPerByte).toEqual({ mean: 2.1, low: 2, high: 2.2 });
  expect(dense!.curve.map(([, bits]) => bits)).toEqual([3.1, 2.1]);
  expect(sparse!.seeds).toBe(1);
  expect(sparse!.overFirst).toBeCloseTo(0.01, 6);
});

test("a line that is no result of a study is told by its field", () => {
  const line = (over: object) => studyProblem({ ...run("dense", 1, 2), ...over } as Record<string, unknown>);
  expect(line({})).toBeUndefined();
  expect(line({ rate: "high" })).toBe('rate must be a number, and is "high"');
  expect(line({ role: undefined })).toBe("role must be rate or whole, and is missing");
  expect(line({ curve: [[1]] })).toBe("curve must be a list of pairs of numbers, and is [[1]]");
});
