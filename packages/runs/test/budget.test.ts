import { referenceBackend } from "@finegrain/graph";
import { type ModelConfig, parameterCount, scalingLM } from "@finegrain/nn";
import { describe, expect, test } from "vitest";
import { withinSeconds } from "../src/budget.ts";
import { modelConfig, type RunConfig, trainingConfig, trainingMinutes } from "../src/config.ts";
import { type RunSizes, runSizes } from "../src/defaults.ts";
import { corpusOf } from "../src/held-out.ts";
import { type Run, train } from "../src/index.ts";
import { textOf } from "../src/text/text.ts";
import { openTokenizer } from "../src/tokenizer.ts";

const TEXT = "It was the best of times, it was the worst of times. ".repeat(400);
const backend = referenceBackend();

/** The sizes, so much smaller that a step takes the reference backend a moment. */
function candidate({ layers, dModel }: RunSizes) {
  const config: ModelConfig = modelConfig({ layers, dModel: dModel / 16, heads: 2 }, { vocabulary: 128, length: 8 });
  const of = (steps: number): RunConfig => ({
    model: config,
    tokenizer: "byte",
    training: trainingConfig({ steps, batch: 4, length: 8 }),
  });
  return { model: scalingLM(config), config: of };
}
const corpus = await corpusOf(textOf(TEXT), await openTokenizer("byte"));

describe("a time makes", () => {
  test("as many steps as the measured speed does in it, of a larger model where it is longer", async () => {
    const [short, long] = [
      await withinSeconds({ backend, corpus, seconds: 4, sizes: runSizes, candidate }),
      await withinSeconds({ backend, corpus, seconds: 4000, sizes: runSizes, candidate }),
    ];
    for (const [{ config, tokensPerSecond, seconds }, of] of [
      [short, 4],
      [long, 4000],
    ] as const) {
      const { steps, batch, length } = config.training;
      const stepping = (steps * batch * length) / tokensPerSecond;
      expect(stepping).toBeLessThan(of);
      const evaluating = (5 * corpus.heldOut.length) / 3 / tokensPerSecond;
      expect(stepping + evaluating).toBeGreaterThan(0.8 * (of - seconds));
      expect(config.training.schedule).toMatchObject({ steps });
    }
    const parameters = ({ model }: RunConfig) => parameterCount(scalingLM(model).params);
    expect(parameters(long.config)).toBeGreaterThan(parameters(short.config));
  });

  test("one step where it is too short for any", async () => {
    const { config } = await withinSeconds({ backend, corpus, seconds: 1e-3, sizes: runSizes, candidate });
    expect(config.training.steps).toBe(1);
    expect(config.model.dModel).toBe(runSizes[0]!.dModel / 16);
  });

  test("a run, in which what was said holds", async () => {
    const told: number[] = [];
    const run: Run = await train({
      backend,
      data: TEXT,
      model: ({ dModel, heads }) => {
        expect(dModel / heads).toBe(64);
        return { layers: 1, dModel: 8, heads: 2, feedForward: { type: "sparse", blockSize: 4 } };
      },
      training: { minutes: 0.05, batch: 2, length: 16 },
      onMeasured: ({ config }) => told.push(config.training.steps),
    });
    expect(run.config.model).toMatchObject({ layers: 1, dModel: 8, feedForward: { type: "sparse" } });
    expect(run.config.training).toMatchObject({ batch: 2, length: 16, steps: told[0] });
    expect(run.step).toBe(told[0]);
    await run.close();
  });
});

test("minutes and steps exclude each other", () => {
  expect(trainingMinutes()).toBe(5);
  expect(trainingMinutes({ steps: 3 })).toBeUndefined();
  expect(trainingMinutes({ schedule: { kind: "constant", rate: 1 } })).toBeUndefined();
  expect(() => trainingMinutes({ minutes: 1, steps: 3 })).toThrow("training has both minutes and steps");
  for (const minutes of [0, -1, Number.NaN, Number.POSITIVE_INFINITY])
    expect(() => trainingMinutes({ minutes })).toThrow("training.minutes must be a number above 0");
});
