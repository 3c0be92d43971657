import { FinegrainError, type HostTensor, mul, referenceBackend, sub } from "@finegrain/graph";
import { initialize, type ModelConfig, scalingLM } from "@finegrain/nn";
import { describe, expect, test } from "vitest";
import { trainBatches } from "./data/index.ts";
import { adamW, type Optimizer } from "./optimizers/index.ts";
import { createTrainer } from "./trainer.ts";
import type { TrainerOptions } from "./training.ts";

const dense: ModelConfig = { vocabulary: 24, dModel: 16, dFf: 32, layers: 2, heads: 4, maxLength: 16 };
const sparse: ModelConfig = {
  ...dense,
  feedForward: { type: "trax-sparse", blockSize: 4, rank: 4 },
  attention: { type: "multiplicative-convolutional", modules: 4 },
  loss: { type: "multiplicative", modules: 4 },
};
const SIZE = { batch: 2, length: 6 };
const text = Int32Array.from({ length: 200 }, (_, i) => (i * 5) % dense.vocabulary);
const batches = trainBatches(text, { ...SIZE, seed: 3 });

/** Plain gradient descent, whose step is as long as the gradient that it is given. */
const descent: Optimizer = {
  name: "descent",
  slots: () => ({}),
  update: ({ param, gradient, learningRate }) => ({ param: sub(param, mul(gradient, learningRate)), slots: {} }),
};

/** Weights grow by the learning rate: after a few steps even float64 has no number for what comes of them. */
const growth: Optimizer = {
  name: "growth",
  slots: () => ({}),
  update: ({ param, learningRate }) => ({ param: mul(param, learningRate), slots: {} }),
};

const options = (config: ModelConfig, more: Partial<TrainerOptions> = {}): TrainerOptions => ({
  ...SIZE,
  backend: referenceBackend(),
  model: scalingLM(config),
  optimizer: adamW(),
  schedule: () => 0.01,
  seed: 7,
  ...more,
});

const numbers = (tensors: ReadonlyMap<string, HostTensor>) => [...tensors.values()].flatMap(({ data }) => [...data]);

async function losses(setup: TrainerOptions, steps: number): Promise<number[]> {
  await using trainer = await createTrainer(setup);
  const found = [];
  for (let step = 0; step < steps; step++) found.push((await trainer.run([batches.at(step)])).loss);
  return found;
}

describe.each(Object.entries({ dense, sparse }))("a %s model of 2 layers", (_, config) => {
  test("has the losses that its seed says", async () => {
    const first = await losses(options(config), 3);
    expect(await losses(options(config), 3)).toEqual(first);
    expect(await losses(options(config, { seed: 8 }), 3)).not.toEqual(first);
  });
});

test("from the same weights, the seed is the noise of a sparse model, and nothing to a dense one", async () => {
  // Several steps, since a layer whose mask is soft at a step, as most are, has no use for its noise.
  const run = async (config: ModelConfig, seed: number) =>
    losses(options(config, { seed, weights: initialize(scalingLM(config).params, 5) }), 3);
  expect(await run(sparse, 8)).not.toEqual(await run(sparse, 7));
  expect(await run(dense, 8)).toEqual(await run(dense, 7));
});

test.each([1, 2])("clips the gradient of %d micro-batches as one vector", async (accumulate) => {
  /** How far one step of rate 1 goes, and the norm that it reports. */
  async function moved(clipNorm?: number) {
    const more = { optimizer: descent, schedule: () => 1, accumulate, ...(clipNorm === undefined ? {} : { clipNorm }) };
    await using trainer = await createTrainer(options(dense, more));
    const before = numbers(await trainer.weights());
    const { gradientNorm } = await trainer.run(Array.from({ length: accumulate }, (_, k) => batches.at(k)));
    const after = numbers(await trainer.weights());
    return { gradientNorm, distance: Math.hypot(...after.map((x, i) => x - before[i]!)) };
  }
  const free = await moved();
  expect(free.gradientNorm).toBeGreaterThan(0.1);
  expect(free.distance).toBeCloseTo(free.gradientNorm, 6);
  const clipped = await moved(0.01);
  expect(clipped.gradientNorm).toBeCloseTo(free.gradientNorm, 10); // the norm before clipping
  expect(clipped.distance).toBeCloseTo(0.01, 5);
  expect((await moved(1000)).distance).toBeCloseTo(free.distance, 10);
});

test.each([1, 2])(
  "weights that run away are an error that names the step, with %d micro-batches",
  async (accumulate) => {
    const micro = Array.from({ length: accumulate }, (_, k) => batches.at(k));
    const numbersOf = async () => [numbers(await trainer.weights()), numbers((await trainer.state()).slots)];
    await using trainer = await createTrainer(options(dense, { optimizer: growth, schedule: () => 1e30, accumulate }));
    let [before, failure]: [number[][], unknown] = [[], undefined];
    while (failure === undefined && trainer.step < 10) {
      before = await numbersOf();
      failure = await trainer.run(micro).then(
        () => undefined,
        (error: unknown) => error,
      );
    }
    expect(failure).toBeInstanceOf(FinegrainError);
    expect(trainer.step).toBeGreaterThan(0);
    expect((failure as Error).message).toMatch(
      new RegExp(`^the loss of step ${trainer.step} is .* at a learning rate of 1e\\+30`),
    );
    expect(await numbersOf()).toEqual(before);
    await expect(trainer.run([...micro, ...micro])).rejects.toThrow(
      `a step takes ${accumulate} micro-batches, not ${2 * accumulate}`,
    );
  },
);

test("a learning rate that float32 does not have is refused before it moves the weights", async () => {
  await using trainer = await createTrainer(options(dense, { schedule: () => 1e39 }));
  const before = numbers(await trainer.weights());
  await expect(trainer.run([batches.at(0)])).rejects.toThrow("the learning rate of step 0 is 1e+39");
  expect(numbers(await trainer.weights())).toEqual(before);
});
