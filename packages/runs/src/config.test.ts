import { describe, expect, test } from "vitest";
import { modelConfig, trainingConfig, usualSchedule } from "./config.ts";

const SIZES = { vocabulary: 256, length: 128 };

describe("what is left out", () => {
  test("of the training is as the command's help says", () => {
    expect(trainingConfig()).toEqual({
      steps: 300,
      batch: 8,
      length: 128,
      accumulate: 1,
      optimizer: "adamw",
      weightDecay: 0.1,
      schedule: { kind: "cosine", rate: 0.002, warmup: 30, steps: 300, floor: 0.0002 },
      clipNorm: 1,
      seed: 0,
      evaluateEvery: 60,
      checkpointEvery: 60,
    });
    expect(trainingConfig({ optimizer: "adafactor" }).weightDecay).toBe(0);
    expect(trainingConfig({ steps: 1 })).toMatchObject({ evaluateEvery: 1, schedule: { warmup: 0 } });
    expect(trainingConfig({ learningRate: 0.01 }).schedule).toMatchObject({ rate: 0.01, floor: 0.001 });
  });

  test("of a model are its sizes; parts that a config does not name are dense", () => {
    const sizes = {
      dModel: 256,
      dFf: 1024,
      layers: 4,
      heads: 4,
      positions: "rotary",
      vocabulary: 256,
      maxLength: 128,
    };
    expect(modelConfig(undefined, SIZES)).toEqual({ ...sizes, feedForward: { type: "sparse", blockSize: 8 } });
    expect(modelConfig({}, SIZES)).toEqual(sizes);
    expect(modelConfig({ dModel: 64, maxLength: 512 }, SIZES)).toEqual({
      ...sizes,
      dModel: 64,
      dFf: 256,
      maxLength: 512,
    });
  });
});

test("the usual schedules", () => {
  expect(usualSchedule({ steps: 10, kind: "constant", rate: 1 })).toEqual({ kind: "constant", rate: 1 });
  const rooted = usualSchedule({ steps: 1, kind: "inverse-square-root", rate: 1 });
  expect(rooted).toEqual({ kind: "inverse-square-root", rate: 1, warmup: 1 });
});
