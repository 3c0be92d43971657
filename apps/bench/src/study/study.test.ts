import { parameterCount, scalingLM } from "@finegrain/nn";
import { describe, expect, test } from "vitest";
import { parseStudy } from "./study.ts";

const plain = {
  title: "a study",
  model: { dModel: 32, dFf: 64, layers: 2, heads: 2 },
  rates: [0.001],
  seeds: [0],
  variants: [{ name: "dense" }],
};
const parsed = (fields: object) => parseStudy({ ...plain, ...fields }, "my/study.json");

test("is called like its file, and says what it leaves out", () => {
  const { name, data, tuning, training, variants } = parsed({ training: { steps: 10, length: 8 } });
  expect({ name, data, tuning }).toEqual({ name: "study", data: "speeches", tuning: 0.25 });
  expect(training).toMatchObject({ steps: 10, length: 8, optimizer: "adamw" });
  expect(variants[0]!.model).toMatchObject({ vocabulary: 256, maxLength: 8, dModel: 32 });
});

test("a variant of equal parameters has the width for it", () => {
  const sparse = { name: "sparse", model: { feedForward: { type: "sparse", blockSize: 4 } }, equalTo: "dense" };
  const [dense, equal] = parsed({ variants: [{ name: "dense" }, sparse] }).variants;
  const counts = [dense!, equal!].map(({ model }) => parameterCount(scalingLM(model).params));
  expect(counts[1]! / counts[0]!).toBeCloseTo(1, 1);
  expect(equal!.model.dFf).toBeLessThan(64);
});

describe("refuses, in one sentence that names the field,", () => {
  test.each([
    [{ rates: [] }, "my/study.json: rates must be a list with at least one entry"],
    [{ rates: [0] }, "my/study.json: rates[0] must be a number above 0, not 0"],
    [{ seeds: [1.5] }, "my/study.json: seeds[0] must be a whole number of at least 0, not 1.5"],
    [{ tuning: 2 }, "my/study.json: tuning must be above 0 and at most 1, not 2"],
    [{ training: { lenght: 3 } }, 'my/study.json: training has an unknown field "lenght"'],
    [{ training: { optimizer: "sgd" } }, "my/study.json: training.optimizer must be one of adamw, adafactor"],
    [{ variants: [{ name: "a" }, { name: "a" }] }, 'my/study.json: two variants are called "a"'],
    [
      { variants: [{ name: "a", equalTo: "dense" }] },
      "my/study.json: variants[0]: equalTo: there is no variant before",
    ],
    [
      { variants: [{ name: "a" }, { name: "b", equalTo: "c" }] },
      "my/study.json: variants[1]: equalTo must be one of a, not",
    ],
  ])("%j", (fields, sentence) => {
    expect(() => parsed(fields)).toThrow(sentence);
  });
});
