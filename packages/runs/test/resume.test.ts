import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Backend, createBackend, type HostTensor, hostTensor, referenceDriver } from "@finegrain/graph";
import { type ModelConfig, scalingLM } from "@finegrain/nn";
import { adafactor, adamW, createTrainer, type TrainerOptions, trainBatches } from "@finegrain/train";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openCheckpoint, saveCheckpoint } from "../src/folder/checkpoint.ts";

const dense: ModelConfig = { vocabulary: 24, dModel: 16, dFf: 32, layers: 2, heads: 4, maxLength: 16 };
const sparse: ModelConfig = {
  ...dense,
  feedForward: { type: "sparse", blockSize: 4, rank: 4 },
  attention: { type: "multiplicative-convolutional", modules: 4 },
  loss: { type: "multiplicative", modules: 4 },
};
const SIZE = { batch: 2, length: 6 };
const text = Int32Array.from({ length: 200 }, (_, i) => (i * i + (i % 7)) % dense.vocabulary);
const batches = trainBatches(text, { ...SIZE, seed: 3 });

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "finegrain-resume-"));
});
afterEach(() => rm(folder, { recursive: true }));

/** The reference with float32 between runs, as devices have it: a file of float32 then keeps every bit. */
function float32Backend(): Backend {
  const driver = referenceDriver();
  const keep = ({ dtype, shape, data }: HostTensor): HostTensor =>
    hostTensor(dtype, shape, dtype === "float32" ? Float32Array.from(data) : data);
  return createBackend({
    ...driver,
    upload: keep,
    async compile(graph, options) {
      const program = await driver.compile(graph, options);
      return {
        ...program,
        *run(inputs) {
          return (yield* program.run(inputs)).map(keep);
        },
      };
    },
  });
}

const bits = (tensors: ReadonlyMap<string, HostTensor>) =>
  Object.fromEntries([...tensors].map(([name, { data }]) => [name, [...data]]));

describe.each(Object.entries({ dense, sparse }))("a %s model", (_, config) => {
  test.each([adamW({ weightDecay: 0.01 }), adafactor()])(
    "goes on from a checkpoint to the bit, with $name",
    async (optimizer) => {
      const setup: TrainerOptions = {
        ...SIZE,
        backend: float32Backend(),
        model: scalingLM(config),
        optimizer,
        schedule: (step) => 0.01 / (1 + step),
        clipNorm: 1,
        seed: 7,
      };
      await using whole = await createTrainer(setup);
      const losses = [];
      for (let step = 0; step < 5; step++) losses.push((await whole.run([batches.at(step)])).loss);

      await using first = await createTrainer(setup);
      for (let step = 0; step < 3; step++) await first.run([batches.at(step)]);
      const { slots, step, seed } = await first.state();
      await saveCheckpoint(folder, { step, model: first.buffers(), optimizer: slots, config, state: { seed } });

      const opened = await openCheckpoint(folder);
      expect(opened.state).toEqual({ seed: 7 });
      await using second = await createTrainer({
        ...setup,
        weights: await opened.readModel(),
        state: { slots: await opened.readOptimizer(), step: opened.step, seed: 7 },
      });
      expect(second.step).toBe(3);
      for (let step = 3; step < 5; step++) expect((await second.run([batches.at(step)])).loss).toBe(losses[step]);
      expect(bits(await second.weights())).toEqual(bits(await whole.weights()));
      expect(bits((await second.state()).slots)).toEqual(bits((await whole.state()).slots));
    },
  );
});
