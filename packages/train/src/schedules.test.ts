import { FinegrainError } from "@finegrain/graph";
import { describe, expect, test } from "vitest";
import { parseSchedule, schedule } from "./schedules.ts";

test("constant", () => {
  expect([0, 5, 1e6].map(schedule({ kind: "constant", rate: 0.1 }))).toEqual([0.1, 0.1, 0.1]);
});

test("cosine: linear up, half a cosine down, then the floor", () => {
  const at = schedule({ kind: "cosine", rate: 1, warmup: 4, steps: 14, floor: 0.2 });
  expect([0, 1, 2, 3].map(at)).toEqual([0.25, 0.5, 0.75, 1]);
  expect(at(8)).toBeCloseTo(0.6, 12); // half way between the last update of the warm-up and the last of all
  expect(at(13)).toBeCloseTo(0.2, 12);
  expect(at(100)).toBeCloseTo(0.2, 12);
  for (let step = 4; step < 14; step++) expect(at(step)).toBeLessThan(at(step - 1));
});

test("cosine without warm-up begins near its rate and ends at 0", () => {
  const at = schedule({ kind: "cosine", rate: 2, warmup: 0, steps: 2 });
  expect(at(0)).toBeCloseTo(1, 12);
  expect(at(1)).toBeCloseTo(0, 12);
});

test("inverse square root: continuous at the end of the warm-up, halved at four times it", () => {
  const at = schedule({ kind: "inverse-square-root", rate: 0.5, warmup: 10 });
  expect(at(0)).toBeCloseTo(0.05, 12);
  expect(at(9)).toBeCloseTo(0.5, 12);
  expect(at(39)).toBeCloseTo(0.25, 12);
});

test("T5's: 1 / sqrt(max(step, 10000)), steps counted from 1", () => {
  const at = schedule({ kind: "t5", rate: 0.01, constant: 10_000 });
  for (const step of [1, 100, 10_000]) expect(at(step - 1)).toBeCloseTo(0.01, 12);
  for (const step of [10_001, 40_000]) expect(at(step - 1)).toBeCloseTo(step ** -0.5, 12);
});

describe("parsing", () => {
  test("valid configs come back", () => {
    for (const config of [
      { kind: "constant", rate: 0 },
      { kind: "cosine", rate: 1e-3, warmup: 0, steps: 10 },
      { kind: "cosine", rate: 1e-3, warmup: 5, steps: 10, floor: 1e-4 },
      { kind: "inverse-square-root", rate: 1, warmup: 1 },
      { kind: "t5", rate: 0.01, constant: 1 },
    ]) {
      expect(parseSchedule(config)).toEqual(config);
    }
  });

  const cases: [config: unknown, message: string][] = [
    [3, 'a schedule must be an object with a "kind", not 3'],
    [{ kind: "toString" }, 'schedule kind must be one of constant, cosine, inverse-square-root, t5, not "toString"'],
    [{ kind: "constant" }, 'schedule "constant": rate must be a number, not missing'],
    [{ kind: "constant", rate: "1" }, 'schedule "constant": rate must be a number, not "1"'],
    [{ kind: "constant", rate: 1, warmup: 2 }, 'schedule "constant" has no field "warmup": it has rate'],
    [{ kind: "constant", rate: -1 }, "rate must be at least 0, not -1"],
    [
      { kind: "cosine", rate: 1, warmup: 10, steps: 10 },
      "steps must be a whole number above the warm-up of 10, not 10",
    ],
    [{ kind: "cosine", rate: 1, warmup: 0, steps: 10, floor: 2 }, "floor must be from 0 to the rate 1, not 2"],
    [{ kind: "inverse-square-root", rate: 1, warmup: 0 }, "warmup must be a whole number of at least 1, not 0"],
  ];
  test.each(cases)("%j is refused", (config, message) => {
    expect(() => parseSchedule(config)).toThrow(FinegrainError);
    expect(() => parseSchedule(config)).toThrow(message);
  });
});
