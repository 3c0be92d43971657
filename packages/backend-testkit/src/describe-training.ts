import { type Backend, referenceBackend } from "@finegrain/graph";
import { type ModelConfig, modelOf, PADDING } from "@finegrain/nn";
import { adamW, createTrainer, type TrainerOptions, trainBatches } from "@finegrain/train";
import { describe, expect, it } from "vitest";
import { everyNth } from "./every-nth.ts";
import { catalogModels, modelConfigs, trainedConfigs } from "./model-configs.ts";
import { onceForEach } from "./once-for-each.ts";

const STEPS = 20;
const TOLERANCE = 1e-3;
const SIZE = { batch: 2, length: 12 };

/** Losses of the first steps of a small model on a text with some order in it. A source, which has no padding, is what stands before. */
async function losses(backend: Backend, config: ModelConfig): Promise<number[]> {
  const { vocabulary, encoder } = config;
  const least = encoder ? PADDING + 1 : 0;
  const text = Int32Array.from({ length: 400 }, (_, i) => least + ((i * i + (i % 7)) % (vocabulary - least)));
  const batches = trainBatches(text, { ...SIZE, length: SIZE.length + (encoder?.maxLength ?? 0), seed: 1 });
  await using trainer = await createTrainer({
    ...SIZE,
    backend,
    model: modelOf(config),
    optimizer: adamW({ weightDecay: 0.01 }),
    schedule: () => 3e-3,
    clipNorm: 1,
    seed: 5,
  });
  const found: number[] = [];
  for (let step = 0; step < STEPS; step++) found.push((await trainer.run([batches.at(step)])).loss);
  return found;
}

const referenceLosses = onceForEach((config: ModelConfig) => losses(referenceBackend(), config));

/** Losses and last weights of four steps; with `stop`, of a run that ends after two and goes on from what was kept. */
async function fourSteps(
  backend: Backend,
  config: ModelConfig,
  { accumulate, stop }: { readonly accumulate: number; readonly stop: boolean },
) {
  const text = Int32Array.from({ length: 400 }, (_, i) => (i * i + (i % 7)) % config.vocabulary);
  const batches = trainBatches(text, { ...SIZE, seed: 1 });
  const setup: TrainerOptions = {
    ...SIZE,
    backend,
    model: modelOf(config),
    optimizer: adamW(),
    accumulate,
    schedule: (step) => 3e-3 / (1 + step),
    seed: 5,
  };
  let trainer = await createTrainer(setup);
  const found: number[] = [];
  while (trainer.step < 4) {
    const micro = Array.from({ length: accumulate }, (_, k) => batches.at(accumulate * trainer.step + k));
    found.push((await trainer.run(micro)).loss);
    if (!stop || trainer.step !== 2) continue;
    const kept = { weights: await trainer.weights(), state: await trainer.state() };
    await trainer[Symbol.asyncDispose]();
    trainer = await createTrainer({ ...setup, ...kept });
  }
  const weights = [...(await trainer.weights())].map(([path, { data }]) => [path, [...data]]);
  await trainer[Symbol.asyncDispose]();
  return { losses: found, weights };
}

/** A small model trains as on the reference, noise and optimizer included, and resumes to the bit. */
export function describeTraining(backend: () => Backend, step: number): void {
  describe("resumes a run as if it had not stopped, to the bit", () => {
    const runs = Object.keys(modelConfigs).flatMap((name) => [1, 2].map((accumulate) => [name, accumulate] as const));
    it.each(everyNth(runs, step))("%s, %d micro-batches a step", async (name, accumulate) => {
      const config = modelConfigs[name]!;
      const whole = await fourSteps(backend(), config, { accumulate, stop: false });
      expect(await fourSteps(backend(), config, { accumulate, stop: true })).toEqual(whole);
    });
  });

  describe(`has the reference's losses over ${STEPS} steps`, () => {
    const configs = Object.entries(catalogModels).map(([name, { config }]) => [name, config] as const);
    it.each(everyNth([...configs, ...Object.entries(trainedConfigs)], step))(
      "%s",
      async (_, config) => {
        const [found, expected] = [await losses(backend(), config), await referenceLosses(config)];
        found.forEach((loss, step) => {
          expect(
            Math.abs(loss / expected[step]! - 1),
            `step ${step}: ${loss}, expected ${expected[step]}`,
          ).toBeLessThan(TOLERANCE);
        });
        // Not the loss of a model that stays as it was.
        expect(expected.at(-1)).toBeLessThan(expected[0]! - 0.1);
      },
      180_000, // a software GPU on a busy machine
    );
  });
}
