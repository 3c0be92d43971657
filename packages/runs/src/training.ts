import { setImmediate } from "node:timers/promises";
import type { Backend } from "@finegrain/graph";
import { type LanguageModel, matchTensors, paramTypes, scalingLM } from "@finegrain/nn";
import {
  adafactor,
  adamW,
  type Corpus,
  createTrainer,
  type HeldOutBatch,
  heldOutBatches,
  schedule,
  type Trainer,
  trainBatches,
} from "@finegrain/train";
import { type Checkpoint, saveCheckpoint } from "./folder/checkpoint.ts";
import { type MetricsWriter, openMetrics } from "./folder/metrics.ts";
import { bitsPerByte, evenly } from "./held-out.ts";
import type { RunConfig, TrainingConfig } from "./run-config.ts";
import { makeRunFolder, runPaths } from "./run-folder.ts";

/** Held-out tokens that an evaluation during training looks at, at most; `finegrain evaluate` looks at all. */
const EVALUATED_TOKENS = 2 ** 14;

/** A step as the progress line shows it. */
export interface Step {
  /** Steps done. */
  readonly step: number;
  readonly steps: number;
  /** Nats a token. */
  readonly loss: number;
  readonly tokensPerSecond: number;
  /** Seconds since this process began with step `first`. */
  readonly seconds: number;
  readonly first: number;
}

/** Whom a run tells what happens. */
export interface Listener {
  onStep?(step: Step): void;
  onEvaluation?(evaluation: { readonly step: number; readonly bitsPerByte: number }): void;
  onCheckpoint?(path: string, step: number): void;
}

export interface RunInput {
  readonly backend: Backend;
  readonly config: RunConfig;
  readonly folder: string;
  readonly corpus: Corpus;
  /** Go on from here; a new folder is made without it. */
  readonly checkpoint?: Checkpoint | undefined;
  /** An abort ends the run after the step at hand, with a checkpoint. */
  readonly signal?: AbortSignal | undefined;
  readonly listener?: Listener;
}

/** A run that has ended, or was stopped. */
export interface Outcome {
  readonly step: number;
  readonly interrupted: boolean;
  /** On the evaluated part of the held-out text; undefined where there is none or the run was stopped before. */
  readonly bitsPerByte: number | undefined;
  /** Median over the steps of this process. */
  readonly tokensPerSecond: number;
}

/**
 * Train a model as a run folder's config says: metrics after every step, evaluations, checkpoints.
 *
 * @throws FinegrainError where the text is too short, the model's config cannot be, the checkpoint does not fit it, or
 *   the loss becomes NaN: the last checkpoint is untouched then.
 */
export async function runTraining(input: RunInput): Promise<Outcome> {
  const { config, folder, corpus, checkpoint } = input;
  const { training } = config;
  const model = scalingLM(config.model);
  // What can be wrong with the input is known before a folder is made or a model compiled.
  const batches = trainBatches(corpus.train, training);
  const heldOut = heldOutWindows(corpus, training);
  await using trainer = await openTrainer(input, model);
  if (checkpoint === undefined) await makeRunFolder(folder, config);
  const resumeAt = checkpoint && { resumeAt: checkpoint.step };
  await using metrics = await openMetrics(runPaths(folder).metrics, resumeAt);
  // Awaited here: trainer and metrics are closed when this function returns.
  return await loop(input, trainer, metrics, batches, heldOut);
}

async function openTrainer({ backend, config, checkpoint }: RunInput, model: LanguageModel): Promise<Trainer> {
  const { training } = config;
  const { batch, length, accumulate, seed, clipNorm, weightDecay } = training;
  if (checkpoint) matchTensors(checkpoint.modelTypes, paramTypes(model.params), checkpoint.path);
  const resumed = checkpoint && {
    weights: await checkpoint.readModel(),
    state: { slots: await checkpoint.readOptimizer(), step: checkpoint.step, seed },
  };
  return createTrainer({
    backend,
    model,
    optimizer: training.optimizer === "adamw" ? adamW({ weightDecay }) : adafactor({ weightDecay }),
    schedule: schedule(training.schedule),
    batch,
    length,
    accumulate,
    seed,
    ...(clipNorm > 0 && { clipNorm }),
    ...resumed,
  });
}

function heldOutWindows(corpus: Corpus, { batch, length }: TrainingConfig): HeldOutBatch[] {
  if (corpus.heldOut.length < 2) return [];
  const all = [...heldOutBatches(corpus.heldOut, { batch, length })];
  return evenly(all, Math.max(1, Math.floor(EVALUATED_TOKENS / (batch * length))));
}

async function loop(
  { config, folder, corpus, signal, listener }: RunInput,
  trainer: Trainer,
  metrics: MetricsWriter,
  batches: ReturnType<typeof trainBatches>,
  heldOut: readonly HeldOutBatch[],
): Promise<Outcome> {
  const { training } = config;
  const { steps, accumulate, evaluateEvery, checkpointEvery } = training;
  const first = trainer.step;
  const speeds: number[] = [];
  let evaluated: number | undefined;
  const started = performance.now();
  while (trainer.step < steps && !signal?.aborted) {
    // A backend that computes at once would otherwise never let a signal through.
    await setImmediate();
    const micro = Array.from({ length: accumulate }, (_, k) => batches.at(trainer.step * accumulate + k));
    const { step: index, metrics: routing, ...report } = await trainer.run(micro);
    const { loss, tokens, milliseconds } = report;
    const step = trainer.step;
    speeds.push((1000 * tokens) / milliseconds);
    metrics.append({ step: index, ...report, ...routing });
    const seconds = (performance.now() - started) / 1000;
    listener?.onStep?.({ step, steps, loss, tokensPerSecond: speeds.at(-1)!, seconds, first });
    const last = step === steps || signal?.aborted === true;
    if (heldOut.length > 0 && !signal?.aborted && (last || step % evaluateEvery === 0)) {
      evaluated = bitsPerByte(await trainer.evaluate(heldOut), corpus);
      metrics.append({ step: index, heldOutBitsPerByte: evaluated });
      listener?.onEvaluation?.({ step, bitsPerByte: evaluated });
    }
    if (last || step % checkpointEvery === 0) {
      await metrics.flush();
      const path = await checkpointOf(trainer, config, folder);
      listener?.onCheckpoint?.(path, step);
    }
  }
  const interrupted = trainer.step < steps;
  return { step: trainer.step, interrupted, bitsPerByte: evaluated, tokensPerSecond: median(speeds) };
}

async function checkpointOf(trainer: Trainer, config: RunConfig, folder: string): Promise<string> {
  const { slots, step, seed } = await trainer.state();
  const model = await trainer.weights();
  return saveCheckpoint(runPaths(folder).checkpoints, { step, model, optimizer: slots, config, state: { seed } });
}

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
