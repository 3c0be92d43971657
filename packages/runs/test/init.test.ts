import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openBackend } from "@finegrain/backends";
import type { Backend } from "@finegrain/graph";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import {
  exportToHuggingFace,
  openCheckpoint,
  openPretrained,
  openRun,
  type TrainOptions,
  train,
} from "../src/index.ts";

const LLAMA = fileURLToPath(new URL("./pretrained/cases/llama", import.meta.url));
const TEXT = "the end of the story and the start of another one. ".repeat(80);
const training = { steps: 3, batch: 2, length: 16, seed: 1 };

let backend: Backend;
let folder: string;
beforeAll(async () => {
  backend = await openBackend({ name: "wasm" });
});
afterAll(() => backend[Symbol.asyncDispose]());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "finegrain-init-"));
});
afterEach(() => rm(folder, { recursive: true }));

test("a model of others learns on, is a run of its own, and goes on as one", async () => {
  const out = join(folder, "run");
  await using first = await openRun(LLAMA, { backend });
  const before = (await first.evaluate(TEXT)).bitsPerByte;
  await using run = await train({
    backend,
    init: LLAMA,
    data: TEXT,
    out,
    training: { ...training, steps: 30, learningRate: 0.01 },
  });
  expect(run.config).toMatchObject({ init: LLAMA, model: first.model.config, training: { length: 16 } });
  expect((await run.evaluate(TEXT)).bitsPerByte).toBeLessThan(before - 1);
  await run.train({ steps: 31, data: TEXT });
  expect(run.step).toBe(31);
  expect(JSON.parse(await readFile(join(out, "config.json"), "utf8"))).toMatchObject({ init: LLAMA });
  await using again = await openRun(out, { backend });
  expect(again.config.specialTokens).toEqual(first.config.specialTokens);
});

test("what changes a training and nothing else is over what the model has, and gives back as the model did", async () => {
  const [out, copy] = [join(folder, "run"), join(folder, "copy")];
  const inTraining = { dropout: 0.1, attentionDropout: 0.2, feedForwardChunk: 5 };
  await using run = await train({ backend, init: LLAMA, data: TEXT, out, training, inTraining });
  expect(run.config.model).toMatchObject(inTraining);
  await run.train({ steps: 4, data: TEXT });
  await exportToHuggingFace(run, { out: copy });
  await using again = await openRun(copy, { backend });
  expect(await again.weights()).toEqual(await run.weights());
  expect(again.config.model).not.toHaveProperty("dropout");
  await expect(train({ backend, data: TEXT, training, inTraining })).rejects.toThrow("inTraining needs init");
});

test("without a rate the weights stay what they were", async () => {
  await using first = await openRun(LLAMA, { backend });
  const still = { ...training, learningRate: 0, weightDecay: 0 };
  await using run = await train({ backend, init: LLAMA, data: TEXT, training: still });
  expect(await run.weights()).toEqual(await first.weights());
});

test("a run that was stopped before its first checkpoint begins again with the same weights", async () => {
  const out = join(folder, "run");
  const options: TrainOptions = { backend, init: LLAMA, data: TEXT, training: { ...training, checkpointEvery: 100 } };
  await using whole = await train(options);
  const failing = train({
    ...options,
    out,
    onStep() {
      throw new Error("the power is gone");
    },
  });
  await expect(failing).rejects.toThrow("the power is gone");
  await using again = await train({ backend, resume: out, data: TEXT });
  expect(await again.weights()).toEqual(await whole.weights());
});

test("what cannot be is refused in one sentence", async () => {
  const own = { backend, init: LLAMA, data: TEXT, training };
  await expect(train({ ...own, model: { layers: 1 } })).rejects.toThrow(
    "model cannot be given with init: the new run has",
  );
  await expect(train({ ...own, tokenizer: "byte" })).rejects.toThrow("tokenizer cannot be given with init");
  await expect(train({ ...own, training: { ...training, length: 65 } })).rejects.toThrow(
    "windows of 65 tokens are longer than the 64 that the model takes",
  );
  await expect(train({ ...own, init: join(folder, "none") })).rejects.toThrow("there is no checkpoint in");
  await expect(train({ backend, resume: LLAMA, init: LLAMA })).rejects.toThrow("init cannot be given with resume");
});

test("LoRA learns beside a model's weights, goes on as if it had not stopped, and is given back as one model", async () => {
  const [out, given] = [join(folder, "run"), join(folder, "given")];
  const options = { backend, init: LLAMA, data: TEXT, lora: { rank: 2 } };
  await using first = await openRun(LLAMA, { backend });
  await using whole = await train({ ...options, training: { ...training, steps: 20, learningRate: 0.02 } });
  expect((await whole.evaluate(TEXT)).bitsPerByte).toBeLessThan((await first.evaluate(TEXT)).bitsPerByte - 0.5);

  let aborted = 0;
  const controller = new AbortController();
  const onStep = () => void (++aborted === 8 && controller.abort());
  const saved = { ...training, steps: 20, learningRate: 0.02 };
  await (await train({ ...options, out, training: saved, onStep, signal: controller.signal })).close();
  await using run = await train({ backend, resume: out, data: TEXT });
  expect(run.step).toBe(20);
  expect(await run.weights()).toEqual(await whole.weights());
  expect([...(await run.weights()).keys()]).toEqual([...(await first.weights()).keys()]);
  expect(run.config.model.lora).toEqual({ rank: 2 });

  const checkpoint = await openCheckpoint(join(out, "checkpoints"));
  const kept = await checkpoint.readModel();
  for (const [path, weight] of await first.weights()) expect(kept.get(path)).toEqual(weight);
  for (const slot of checkpoint.optimizerTypes.keys()) expect(slot).toContain(".lora.");
  await exportToHuggingFace(run, { out: given });
  expect(await (await openPretrained(given)).weights()).toEqual(await run.weights());
});

test("a student of every feed-forward layer learns to do the same, and is the model that the run writes with", async () => {
  const out = join(folder, "run");
  const student = { feedForward: { type: "sparse", blockSize: 4, rank: 4 } } as const;
  const options = { backend, init: LLAMA, data: TEXT, student };
  const missed: number[] = [];
  const onStep = ({ metrics }: { metrics: Readonly<Record<string, number>> }) =>
    void missed.push(metrics["loss.imitation"]!);
  const learning = { ...training, steps: 30, learningRate: 0.01 };
  await using taught = await train({ ...options, out, training: learning, onStep });
  expect(missed.at(-1)).toBeLessThan(0.7 * missed[0]!);
  expect(taught.model.config).toMatchObject({ feedForward: student.feedForward });
  expect(taught.model.config.student).toBeUndefined();

  const checkpoint = await openCheckpoint(join(out, "checkpoints"));
  const kept = await checkpoint.readModel();
  await using first = await openRun(LLAMA, { backend });
  for (const [path, weight] of await first.weights()) expect(kept.get(path)).toEqual(weight);
  await using again = await openRun(out, { backend });
  expect(await again.weights()).toEqual(await taught.weights());
  const before = (await again.evaluate(TEXT)).bitsPerByte;
  await using tuned = await train({ backend, init: out, data: TEXT, training: learning });
  expect(tuned.config.model).toEqual(taught.model.config);
  expect((await tuned.evaluate(TEXT)).bitsPerByte).toBeLessThan(before - 0.5);
});

test("LoRA without a model to begin with is refused", async () => {
  await expect(train({ backend, data: TEXT, lora: { rank: 2 } })).rejects.toThrow("lora needs init");
});
