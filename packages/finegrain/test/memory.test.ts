import { setImmediate } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type BackendOptions, openBackend } from "@finegrain/backends";
import { byteTokenizer, createGenerator } from "@finegrain/generate";
import { type Backend, hostTensor } from "@finegrain/graph";
import { initialize, scalingLM } from "@finegrain/nn";
import { adamW, createTrainer } from "@finegrain/train";
import { describe, expect, test } from "vitest";

/** `FINEGRAIN_REPEATS=full` repeats as often as a long day of work does; otherwise it is a few seconds' worth. */
const isFull = process.env.FINEGRAIN_REPEATS === "full";
const TIMES = isFull ? { steps: 10_000, texts: 1_000, backends: 1_000 } : { steps: 200, texts: 40, backends: 20 };
/** MiB that a process may grow in so many: allocators and finalizers have ways of their own. */
const MOST_GROWTH = isFull ? 64 : 48;

const ENGINES: readonly BackendOptions[] = [
  { name: "wasm" },
  { name: "onnx", device: "cpu" },
  { name: "tfjs", device: "wasm" },
  { name: "tfjs", device: "cpu" },
  { name: "reference" },
];

const model = scalingLM({
  ...{ vocabulary: 256, dModel: 8, dFf: 16, layers: 1, heads: 2, maxLength: 32 },
  feedForward: { type: "sparse", blockSize: 4, rank: 2 },
});

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void; // there from the flag on

async function usedMiB(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    collectGarbage();
    await setImmediate(); // finalizers of native objects run after it
  }
  return process.memoryUsage().rss / 2 ** 20;
}

/** Do something so many times, after a tenth as many that may leave whatever is made once. */
async function expectFlat(times: number, once: () => Promise<void>): Promise<void> {
  for (let i = 0; i < Math.max(10, times / 10); i++) await once();
  const before = await usedMiB();
  for (let i = 0; i < times; i++) await once();
  const growth = (await usedMiB()) - before;
  if (isFull) process.stderr.write(`${expect.getState().currentTestName}: ${growth.toFixed(1)} MiB in ${times}\n`);
  expect(growth, `MiB of growth in ${times}`).toBeLessThan(MOST_GROWTH);
}

const timeout = isFull ? 1_200_000 : 120_000;

describe.each(ENGINES)("memory stays flat on $name $device", (options) => {
  test("over steps of training", { timeout }, async () => {
    await using backend = await openBackend(options);
    const size = { batch: 2, length: 8 };
    await using trainer = await createTrainer({
      ...{ backend, model, ...size, seed: 1, optimizer: adamW({ weightDecay: 0.01 }), schedule: () => 1e-3 },
    });
    const batch = hostTensor(
      "int32",
      [2, 9],
      Int32Array.from({ length: 18 }, (_, i) => (i * 31) % 256),
    );
    await expectFlat(TIMES.steps, async () => void (await trainer.run([batch])));
  });

  test("over texts that are written", { timeout }, async () => {
    await using backend = await openBackend(options);
    await using generator = await createGenerator({ backend, model, weights: initialize(model.params, 1) });
    const tokenizer = byteTokenizer();
    await expectFlat(TIMES.texts, async () => {
      for await (const _ of generator.generate(tokenizer.encode("It was "), { tokenizer, maxTokens: 8 }));
    });
  });

  test("over backends that are opened and closed", { timeout }, async () => {
    await expectFlat(TIMES.backends, async () => {
      await using backend: Backend = await openBackend(options);
      using buffer = backend.upload(hostTensor("float32", [1024], new Float32Array(1024)));
      await buffer.read();
    });
  });
});
