import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parameterCount, scalingLM } from "@finegrain/nn";
import { describe, expect, test } from "vitest";
import { modelFigures } from "./figures.ts";
import { loadStudy, parseStudy } from "./study.ts";

const studies = fileURLToPath(new URL("../../../../benchmarks/studies", import.meta.url));

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

test.each(readdirSync(studies))("%s is a study whose models can be", async (file) => {
  const { variants } = await loadStudy(`${studies}/${file}`);
  const [first, ...others] = variants.map(({ model }) => modelFigures(model));
  expect(first!.feedForwardBytesPerToken).toBeGreaterThan(0);
  expect(others.length).toBeGreaterThan(0);
  for (const { bytesPerToken, feedForwardBytesPerToken } of others)
    expect(feedForwardBytesPerToken).toBeLessThan(bytesPerToken);
});

test("a sparse layer of 1 in 8 reads less than a quarter of the dense one's bytes, of 1 in 4 less than 35 %", async () => {
  const { variants } = await loadStudy(`${studies}/quality.json`);
  const bytes = new Map(variants.map(({ name, model }) => [name, modelFigures(model).feedForwardBytesPerToken]));
  expect(bytes.get("sparse 1 of 4")! / bytes.get("dense")!).toBeLessThan(0.35);
  expect(bytes.get("sparse 1 of 8")! / bytes.get("dense")!).toBeLessThan(0.25);
});
