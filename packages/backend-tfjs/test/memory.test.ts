import { add, gather, graph, hostTensor, input, mul, updateSlice, zeroTensor } from "@finegrain/graph";
import { scalingLM } from "@finegrain/nn";
import { adamW, createTrainer, trainBatches } from "@finegrain/train";
import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { type Engine, tfjsBackend } from "../src/index.ts";
import type { Binding } from "../src/tensorflow/binding.ts";
import { engines } from "./engines.ts";

const STEPS = 1000;

/** All that an engine holds: TensorFlow's own table of tensors, or what tfjs counts. */
function held(device: Engine): unknown {
  if (device === "native")
    return (tf.findBackend("tensorflow") as unknown as { binding: Binding }).binding.getNumOfTensors();
  const { numTensors, numBytes, numDataBuffers } = tf.memory();
  return { numTensors, numBytes, numDataBuffers };
}

const fast = engines.filter((device) => device !== "cpu");

test.each(fast)(`%s holds as much after ${STEPS} steps of training as before`, { timeout: 120_000 }, async (device) => {
  await using backend = await tfjsBackend({ device });
  const feedForward = { type: "sparse", blockSize: 4, rank: 2 } as const;
  const model = scalingLM({ vocabulary: 8, dModel: 8, dFf: 16, layers: 1, heads: 2, maxLength: 4, feedForward });
  const size = { batch: 2, length: 4 };
  const text = Int32Array.from({ length: 100 }, (_, i) => (i * i) % 8);
  const batches = trainBatches(text, { ...size, seed: 1 });
  await using trainer = await createTrainer({
    ...size,
    backend,
    model,
    optimizer: adamW(),
    schedule: () => 1e-3,
    seed: 5,
  });
  await trainer.run([batches.at(0)]);
  const before = held(device);
  for (let step = 1; step <= STEPS; step++) await trainer.run([batches.at(step)]);
  expect(held(device)).toEqual(before);
});

test.each(fast)("%s holds nothing of a run that failed, nor of what was disposed", async (device) => {
  await using backend = await tfjsBackend({ device });
  const before = held(device);
  const [table, ids, x] = [
    input([4, 2], "float32", "table"),
    input([1], "int32", "ids"),
    input([4, 2], "float32", "x"),
  ];
  const [cache, row, at] = [
    input([4, 2], "float32", "cache"),
    input([1, 2], "float32", "row"),
    input([], "int32", "at"),
  ];
  const found = mul(gather(mul(table, 2), ids), 3);
  const lookup = await backend.compile(
    graph({
      name: "lookup",
      inputs: [table, ids, x, cache, row, at],
      outputs: [found, mul(mul(x, 2), 5), updateSlice(cache, add(row, found), at, { axis: 0 })],
    }),
    {
      donate: [
        ["2", "1"],
        ["3", "2"],
      ],
    },
  );
  const floats = (shape: number[]) => backend.upload(zeroTensor({ dtype: "float32", shape }));
  const int = (shape: number[], x: number) => backend.upload(hostTensor("int32", shape, [x]));
  const given = [floats([4, 2]), int([1], 99), floats([4, 2]), floats([4, 2]), floats([1, 2]), int([], 0)];
  const made = lookup.run(given);
  await expect(made[0]!.read()).rejects.toThrow('graph "lookup" failed');
  for (const each of [...given, ...made, lookup]) each[Symbol.dispose]();
  expect(held(device)).toEqual(before);
});
