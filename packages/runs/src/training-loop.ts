import { alone, anyOf, type Communicator } from "@finegrain/distributed";
import type { Tokenizer } from "@finegrain/generate";
import type { Backend, HostTensor } from "@finegrain/graph";
import { type LanguageModel, matchTensors, paramTypes } from "@finegrain/nn";
import {
  adafactor,
  adamW,
  type Corpus,
  createTrainer,
  type Examples,
  examplesOf,
  type HeldOutBatch,
  schedule,
  type TextProgress,
  type TrainBatches,
  type Trainer,
} from "@finegrain/train";
import type { RunConfig, TrainingConfig } from "./config.ts";
import type { Checkpoint } from "./folder/checkpoint.ts";
import type { MetricsWriter } from "./folder/metrics.ts";
import { bitsPerByte, evenly } from "./held-out.ts";
import { expectSameTraining, storeOfRanks } from "./ranks.ts";
import type { RunStore } from "./store.ts";

/** Held-out tokens that an evaluation during training looks at, at most; `evaluate` of a run looks at all. */
export const EVALUATED_TOKENS = 2 ** 14;

/** A step, as a progress line shows it. */
export interface Step {
  /** Steps done. */
  readonly step: number;
  readonly steps: number;
  /** Nats a token. */
  readonly loss: number;
  /** What the layers say of the step, by name: auxiliary losses as `loss.NAME`, and metrics. */
  readonly metrics: Readonly<Record<string, number>>;
  readonly tokensPerSecond: number;
  /** Seconds since this training began with step `first`. */
  readonly seconds: number;
  readonly first: number;
}

/** What is known before the first step. */
export interface Start {
  readonly config: RunConfig;
  readonly corpus: Corpus;
  readonly model: LanguageModel;
  /** Steps that were done before. */
  readonly step: number;
  /** The run's folder; undefined in memory. */
  readonly folder: string | undefined;
  /** Held-out tokens that an evaluation looks at, evenly spread: all of them where they are few. */
  readonly evaluated: number;
}

/** Whom a training tells what happens. */
export interface TrainingListener {
  /** Told while a text becomes tokens, which comes first. */
  readonly onText?: ((progress: TextProgress) => void) | undefined;
  readonly onStart?: ((start: Start) => void) | undefined;
  readonly onStep?: ((step: Step) => void) | undefined;
  readonly onEvaluation?: ((evaluation: { readonly step: number; readonly bitsPerByte: number }) => void) | undefined;
  readonly onCheckpoint?: ((checkpoint: { readonly step: number; readonly path: string }) => void) | undefined;
}

export interface TrainingInput extends TrainingListener {
  readonly backend: Backend;
  readonly config: RunConfig;
  readonly model: LanguageModel;
  readonly corpus: Corpus;
  readonly tokenizer: Tokenizer;
  readonly store: RunStore;
  /** Go on from here. */
  readonly checkpoint?: Checkpoint | undefined;
  /** Without a checkpoint: the weights to begin with. Default: drawn by the seed. */
  readonly weights?: ReadonlyMap<string, HostTensor> | undefined;
  /** Steps after which it ends; by the config, it may go on as another model then. */
  readonly until: number;
  /** Make the place of a new run, when all that can be wrong with its input is known. */
  begin?(): Promise<void>;
  /** An abort, on any rank, ends the training after the step at hand, with a checkpoint. */
  readonly signal?: AbortSignal | undefined;
  /** The processes that train together. Default: this one alone. */
  readonly communicator?: Communicator | undefined;
  /** Whether these share experts out. Default false. */
  readonly expertParallel?: boolean | undefined;
}

/** A training that has ended, or was stopped. */
export interface Outcome {
  /** Steps done. */
  readonly step: number;
  readonly interrupted: boolean;
  /** On the evaluated part of the held-out text; undefined where there is none or the training was stopped before. */
  readonly bitsPerByte: number | undefined;
  /** Held-out tokens that `bitsPerByte` is of, and all of them. */
  readonly heldOut: { readonly evaluated: number; readonly tokens: number };
  /** The best of the checkpoints that were evaluated when they were saved, of all trainings of the run. */
  readonly best: Best | undefined;
  /** Median over the steps of this training; undefined where there was none. */
  readonly tokensPerSecond: number | undefined;
  /** The part of the steps' time that went into messages between ranks, and waiting for them; undefined where there is one. */
  readonly communication: number | undefined;
}

/** The checkpoint with the least bits per byte on the evaluated part of the held-out text. */
export interface Best {
  readonly step: number;
  readonly bitsPerByte: number;
}

/**
 * Train a model as a run's config says: metrics after every step, evaluations, checkpoints.
 *
 * @throws FinegrainError where the text is too short, the checkpoint does not fit the model, or the loss becomes NaN: the
 *   last checkpoint is untouched then.
 */
export async function runTraining(input: TrainingInput): Promise<{ outcome: Outcome; checkpoint: Checkpoint }> {
  const { config, corpus, communicator = alone() } = input;
  const store = storeOfRanks(communicator, input.store);
  // What can be wrong with the input is known before a folder is made or a model compiled.
  const examples = examplesOf(corpus, input.model);
  const batches = examples.train(config.training);
  const heldOut = heldOutWindows(corpus, examples, config.training);
  expectSameTraining(communicator, config);
  await using trainer = await openTrainer(input);
  if (communicator.rank === 0) await input.begin?.();
  await communicator.barrier();
  await using metrics = await store.openMetrics(trainer.step);
  const evaluated = targets(heldOut);
  input.onStart?.({ config, corpus, model: input.model, step: trainer.step, folder: store.folder, evaluated });
  const targetsPerByte = examples.targetsPerByte(config.training);
  const loop = new Loop({ ...input, targetsPerByte, store, communicator }, trainer, metrics, batches, heldOut);
  // Awaited here: trainer and metrics are closed when this function returns.
  return await loop.run();
}

/** A model on a backend, to be trained as a config says, from a checkpoint on where there is one. */
export async function openTrainer({
  backend,
  config,
  model,
  checkpoint,
  weights,
  communicator,
  expertParallel,
}: Pick<
  TrainingInput,
  "backend" | "config" | "model" | "checkpoint" | "weights" | "communicator" | "expertParallel"
>): Promise<Trainer> {
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
    communicator,
    expertParallel,
    deterministic: training.deterministic,
    ...(clipNorm > 0 && { clipNorm }),
    ...(resumed ?? (weights && { weights })),
  });
}

function heldOutWindows(corpus: Corpus, examples: Examples, { batch, length }: TrainingConfig): HeldOutBatch[] {
  if (corpus.heldOut.length < 2) return [];
  return evenly(examples.heldOut({ batch, length }), Math.max(1, Math.floor(EVALUATED_TOKENS / (batch * length))));
}

/** Tokens that windows ask for. */
const targets = (windows: readonly HeldOutBatch[]): number => windows.reduce((sum, { count }) => sum + count, 0);

type LoopInput = TrainingInput & { readonly communicator: Communicator; readonly targetsPerByte: number };

class Loop {
  readonly #input: LoopInput;
  readonly #trainer: Trainer;
  readonly #metrics: MetricsWriter;
  readonly #batches: TrainBatches;
  readonly #heldOut: readonly HeldOutBatch[];
  readonly #first: number;
  readonly #started = performance.now();
  readonly #speeds: number[] = [];
  readonly #spent = { all: 0, communication: 0 };
  /** Whether any rank was told to stop, as all know it. */
  #stopped = false;
  #evaluated: Best | undefined;
  #best: Best | undefined;
  #checkpoint: Checkpoint | undefined;

  constructor(
    input: LoopInput,
    trainer: Trainer,
    metrics: MetricsWriter,
    batches: TrainBatches,
    heldOut: readonly HeldOutBatch[],
  ) {
    this.#input = input;
    this.#trainer = trainer;
    this.#metrics = metrics;
    this.#batches = batches;
    this.#heldOut = heldOut;
    this.#first = trainer.step;
    this.#checkpoint = input.checkpoint;
    this.#best = bestSoFar(input);
  }

  async run(): Promise<{ outcome: Outcome; checkpoint: Checkpoint }> {
    const { config, until } = this.#input;
    const { evaluateEvery, checkpointEvery } = config.training;
    const trainer = this.#trainer;
    this.#listen();
    while (trainer.step < until && !this.#stopped) {
      await this.#step();
      this.#listen();
      const isLast = () => trainer.step === until || this.#stopped;
      if (!this.#stopped && (isLast() || trainer.step % evaluateEvery === 0)) {
        await this.#evaluate();
        this.#listen();
      }
      if (isLast() || trainer.step % checkpointEvery === 0) await this.#save();
    }
    const outcome = {
      step: trainer.step,
      interrupted: trainer.step < until,
      bitsPerByte: this.#evaluated?.bitsPerByte,
      heldOut: { evaluated: targets(this.#heldOut), tokens: this.#input.corpus.heldOut.length },
      tokensPerSecond: median(this.#speeds),
      communication: this.#input.communicator.size > 1 ? this.#spent.communication / this.#spent.all : undefined,
    };
    // A run that was stopped before its first step can be gone on with, too.
    const checkpoint = this.#checkpoint ?? (await this.#save());
    return { outcome: { ...outcome, best: this.#best }, checkpoint };
  }

  #listen(): void {
    this.#stopped = anyOf(this.#input.communicator, this.#input.signal?.aborted === true);
  }

  async #step(): Promise<void> {
    const { steps, accumulate } = this.#input.config.training;
    const micro = this.#batches.ofStep(this.#trainer.step, accumulate, this.#trainer.share);
    const { step: index, metrics, ...report } = await this.#trainer.run(micro);
    const { loss, tokens, milliseconds } = report;
    const tokensPerSecond = (1000 * tokens) / milliseconds;
    this.#speeds.push(tokensPerSecond);
    this.#spent.all += milliseconds;
    this.#spent.communication += report.communicationMilliseconds ?? 0;
    this.#metrics.append({ step: index, ...report, ...metrics });
    const seconds = (performance.now() - this.#started) / 1000;
    this.#input.onStep?.({ step: index + 1, steps, loss, metrics, tokensPerSecond, seconds, first: this.#first });
  }

  async #evaluate(): Promise<void> {
    if (this.#heldOut.length === 0) return;
    const { step } = this.#trainer;
    const { signal, targetsPerByte } = this.#input;
    const sum = await this.#trainer.evaluate(this.#heldOut, signal).catch((error: unknown) => {
      if (signal?.aborted) return undefined;
      throw error;
    });
    if (sum === undefined) return;
    const found = bitsPerByte(sum, targetsPerByte);
    this.#evaluated = { step, bitsPerByte: found };
    this.#metrics.append({ step: step - 1, heldOutBitsPerByte: found });
    this.#input.onEvaluation?.({ step, bitsPerByte: found });
  }

  async #save(): Promise<Checkpoint> {
    await this.#metrics.flush();
    const { config, store, tokenizer } = this.#input;
    const { keeps = true } = store;
    const { slots, step, seed } = await this.#trainer.state({ keep: keeps });
    const model = await this.#trainer.weights({ keep: keeps });
    const evaluated = this.#evaluated?.bitsPerByte ?? lastBitsPerByte(this.#checkpoint);
    const isBest =
      this.#evaluated?.step === step &&
      this.#evaluated.bitsPerByte < (this.#best?.bitsPerByte ?? Number.POSITIVE_INFINITY);
    if (isBest) this.#best = this.#evaluated;
    const best = this.#best;
    const state = { seed, ...(evaluated !== undefined && { bitsPerByte: evaluated }), ...(best && { best }) };
    const content = { step, model, optimizer: slots, config, state, tokenizer: tokenizer.json };
    this.#checkpoint = await store.save(content, { isBest });
    this.#input.onCheckpoint?.({ step, path: this.#checkpoint.path });
    return this.#checkpoint;
  }
}

/** Of the trainings before, where they were judged by the same text and of the same kind of model. */
function bestSoFar({ checkpoint, config }: TrainingInput): Best | undefined {
  const before = checkpoint?.config as Partial<RunConfig> | undefined; // as #save wrote it
  const { best } = (checkpoint?.state ?? {}) as { readonly best?: Best };
  const isSame = before?.text?.sha256 === config.text?.sha256 && kindOf(before) === kindOf(config);
  return isSame ? best : undefined;
}

/** Of the last evaluation before a checkpoint; undefined where there was none. */
export function lastBitsPerByte(checkpoint: Checkpoint | undefined): number | undefined {
  const { bitsPerByte: last } = (checkpoint?.state ?? {}) as { readonly bitsPerByte?: unknown }; // as #save wrote it
  return typeof last === "number" ? last : undefined;
}

export const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1];

/** What a model is, which may change once while it is trained. */
const kindOf = (config: Partial<RunConfig> | undefined): string | undefined => config?.model?.feedForward?.type;
