import { alone, type Communicator } from "@finegrain/distributed";
import {
  type Backend,
  createBackend,
  FinegrainError,
  type HostTensor,
  hostTensor,
  referenceBackend,
  referenceDriver,
} from "@finegrain/graph";
import { type ModelConfig, scalingLM } from "@finegrain/nn";
import { describe, expect, test } from "vitest";
import { heldOutBatches, trainBatches } from "./data/index.ts";
import { adafactor, adamW } from "./optimizers/index.ts";
import { createTrainer } from "./trainer.ts";
import type { TrainerOptions } from "./training.ts";

const VOCABULARY = 12;
const dense: ModelConfig = { vocabulary: VOCABULARY, dModel: 8, dFf: 16, layers: 1, heads: 2, maxLength: 8 };
const sparse: ModelConfig = {
  ...dense,
  feedForward: { type: "trax-sparse", blockSize: 4, rank: 2 },
  attention: { type: "multiplicative-convolutional", modules: 2 },
  loss: { type: "multiplicative", modules: 2 },
};
const models = { dense, sparse };
const SIZE = { batch: 2, length: 6 };
/** A text in which each token tells the next. */
const text = Int32Array.from({ length: 200 }, (_, i) => (i * 5) % VOCABULARY);
const batches = trainBatches(text, { ...SIZE, seed: 3 });

const options = (config: ModelConfig, more: Partial<TrainerOptions> = {}): TrainerOptions => ({
  ...SIZE,
  backend: referenceBackend(),
  model: scalingLM(config),
  optimizer: adamW({ weightDecay: 0.01 }),
  schedule: (step) => 0.01 / (1 + step),
  clipNorm: 1,
  seed: 7,
  ...more,
});

/** Every number of named tensors, by name. */
const numbers = (tensors: ReadonlyMap<string, HostTensor>) =>
  new Map([...tensors].map(([name, { data }]) => [name, [...data]]));

describe.each(Object.entries(models))("a %s model", (_, config) => {
  test("learns a text in 20 steps", async () => {
    await using trainer = await createTrainer(options(config, { schedule: () => 0.02 }));
    const reports = [];
    for (let step = 0; step < 20; step++) reports.push(await trainer.run([batches.at(step)]));
    expect(reports.map(({ step }) => step)).toEqual(Array.from({ length: 20 }, (_, step) => step));
    expect(reports[0]!.loss).toBeGreaterThan(0.8 * Math.log(VOCABULARY));
    expect(reports.at(-1)!.loss).toBeLessThan(0.75 * reports[0]!.loss);
    expect(reports[0]).toMatchObject({ tokens: 12, learningRate: 0.02 });
  });

  test.each(["adamw", "adafactor"])("goes on with %s from its state as if it had not stopped", async (name) => {
    const optimizer = name === "adamw" ? adamW() : adafactor({ beta1: 0.9 });
    const setup = options(config, { optimizer, accumulate: 2 });
    const micro = (step: number) => [batches.at(2 * step), batches.at(2 * step + 1)];
    await using whole = await createTrainer(setup);
    for (let step = 0; step < 4; step++) await whole.run(micro(step));

    await using first = await createTrainer(setup);
    for (let step = 0; step < 2; step++) await first.run(micro(step));
    const stopped = { weights: await first.weights(), state: await first.state() };
    await using second = await createTrainer({ ...setup, ...stopped });
    for (let step = second.step; step < 4; step++) await second.run(micro(step));

    expect(numbers(await second.weights())).toEqual(numbers(await whole.weights()));
    expect(numbers((await second.state()).slots)).toEqual(numbers((await whole.state()).slots));
    // A counter that began anew would have given a sparse model other noise, and the schedule another rate.
    expect(second.step).toBe(4);
  });
});

test("gradients of micro-batches add up to those of one batch", async () => {
  const [one, two] = [batches.at(0), batches.at(1)];
  const both = hostTensor("int32", [4, 7], Int32Array.of(...one.data, ...two.data));
  await using whole = await createTrainer(options(dense, { batch: 4 }));
  await using parts = await createTrainer(options(dense, { accumulate: 2 }));
  const [a, b] = [await whole.run([both]), await parts.run([one, two])];
  expect(b.loss).toBeCloseTo(a.loss, 10);
  expect(b.gradientNorm).toBeCloseTo(a.gradientNorm, 10);
  expect(b.tokens).toBe(a.tokens);
  const expected = await whole.weights();
  for (const [name, { data }] of await parts.weights())
    for (const [i, x] of data.entries()) expect(x, name).toBeCloseTo(expected.get(name)!.data[i]!, 8);
});

test("every micro-batch of a step has noise of its own", async () => {
  const same = [batches.at(0), batches.at(0)];
  await using twice = await createTrainer(options(sparse, { accumulate: 2 }));
  await using once = await createTrainer(options(sparse));
  const [a, b] = [await twice.run(same), await once.run([same[0]!])];
  expect(Math.abs(a.loss - b.loss)).toBeGreaterThan(1e-9);
});

describe("a loss that is not a number", () => {
  /** A model whose logits are broken wherever token 11 is read: its embedding is. */
  async function broken() {
    const setup = options(dense);
    await using fresh = await createTrainer(setup);
    const weights = await fresh.weights();
    const [path, table] = [...weights].find(([name]) => name.startsWith("embedding"))!;
    expect(table.shape).toEqual([VOCABULARY, 8]);
    weights.set(path, { ...table, data: table.data.map((x, i) => (i >= 11 * 8 ? Number.NaN : x)) });
    return createTrainer({ ...setup, weights });
  }
  const row = (token: number) => hostTensor("int32", [2, 7], new Int32Array(14).fill(token));

  test("is an error that names the step and leaves everything as it was", async () => {
    await using trainer = await broken();
    await trainer.run([row(1)]);
    const before = [numbers(await trainer.weights()), numbers((await trainer.state()).slots)];
    const failure = await trainer.run([row(11)]).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(FinegrainError);
    expect((failure as Error).message).toMatch(/step 1 is NaN .* learning rate of 0\.005/);
    expect(trainer.step).toBe(1);
    expect([numbers(await trainer.weights()), numbers((await trainer.state()).slots)]).toEqual(before);
    expect((await trainer.run([row(1)])).step).toBe(1);
  });
});

test("held-out text counts each target once, whatever the size of the batches", async () => {
  await using trainer = await createTrainer(options(dense));
  const heldOut = text.subarray(0, 30);
  const results = [];
  for (const size of [
    { batch: 1, length: 5 },
    { batch: 4, length: 5 },
  ])
    results.push(await trainer.evaluate(heldOutBatches(heldOut, size)));
  expect(results[0]!.tokens).toBe(29);
  expect(results[1]!.tokens).toBe(29);
  expect(results[1]!.nats).toBeCloseTo(results[0]!.nats, 8);
  expect(results[0]!.nats / 29).toBeGreaterThan(1);
});

/** A backend that knows which of its buffers are alive. */
function counting(): { backend: Backend; alive: Set<HostTensor> } {
  const driver = referenceDriver();
  const alive = new Set<HostTensor>();
  const keep = (value: HostTensor): HostTensor => {
    const own = { ...value };
    alive.add(own);
    return own;
  };
  const backend = createBackend({
    ...driver,
    upload: (value) => keep(driver.upload(value)),
    free: (value) => void alive.delete(value),
    async compile(graph, options) {
      const program = await driver.compile(graph, options);
      return {
        ...program,
        *run(inputs) {
          for (const [i] of options.donate) alive.delete(inputs[i]!);
          return (yield* program.run(inputs)).map(keep);
        },
      };
    },
  });
  return { backend, alive };
}

test.each([
  [1, false],
  [3, false],
  [3, true], // which has the weights once more, as the part of them that it updates
])(
  "keeps no buffers but weights and slots, with %d micro-batches (deterministic: %s)",
  async (accumulate, deterministic) => {
    const { backend, alive } = counting();
    const trainer = await createTrainer(options(dense, { backend, accumulate, deterministic }));
    const held = alive.size;
    expect(held).toBe((deterministic ? 4 : 3) * trainer.buffers().size);
    for (let step = 0; step < 3; step++) {
      await trainer.run(Array.from({ length: accumulate }, (_, k) => batches.at(accumulate * step + k)));
      await trainer.evaluate(heldOutBatches(text.subarray(0, 20), SIZE));
      expect(alive.size).toBe(held);
    }
    await trainer[Symbol.asyncDispose]();
    expect(alive.size).toBe(0);
  },
);

test("a loss that is not finite is said with the rank that has it", async () => {
  const fromRank1: Communicator["allReduce"] = (values) => {
    values[1] = Number.NaN;
  };
  const communicator = { ...alone(), size: 2, allReduce: fromRank1 };
  await using shared = await createTrainer(options(dense, { communicator, accumulate: 2 }));
  await expect(shared.run([batches.at(0)])).rejects.toThrow(
    "the loss of step 0 is NaN on rank 1 and its gradient's norm",
  );
  expect(shared.step).toBe(0);
});

test("what does not fit is refused before anything moves", async () => {
  await using trainer = await createTrainer(options(dense));
  await expect(trainer.run([])).rejects.toThrow("a step takes 1 micro-batches, not 0");
  const foreign = hostTensor("int32", [2, 7], new Int32Array(14).fill(VOCABULARY));
  await expect(trainer.run([foreign])).rejects.toThrow("token 12 is outside the model's vocabulary of 12");
  await expect(trainer.run([hostTensor("int32", [1, 7], new Int32Array(7))])).rejects.toThrow(
    /int32\[1,7\].*int32\[2,7\]/,
  );
  expect(trainer.step).toBe(0);

  const state = await trainer.state();
  await expect(createTrainer(options(dense, { state, seed: 8 }))).rejects.toThrow(
    "seed 7, which cannot go on with seed 8",
  );
  await expect(createTrainer(options(sparse, { weights: await trainer.weights() }))).rejects.toThrow(
    "the set of weights does not fit the model's",
  );
  await expect(createTrainer(options(dense, { state, optimizer: adafactor() }))).rejects.toThrow("does not fit");
  const communicator = { ...alone(), size: 3 };
  await expect(createTrainer(options(dense, { accumulate: 2, communicator }))).rejects.toThrow(
    "a step of 2 micro-batches cannot be shared by 3 ranks",
  );
  await expect(createTrainer(options(dense, { accumulate: 0 }))).rejects.toThrow("accumulate must be a whole number");
  await expect(createTrainer(options(dense, { clipNorm: 0 }))).rejects.toThrow("must be greater than 0, not 0");
  await using wild = await createTrainer(options(dense, { schedule: () => Number.NaN }));
  await expect(wild.run([batches.at(0)])).rejects.toThrow("the learning rate of step 0 is NaN");
});
