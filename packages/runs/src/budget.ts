import { alone, type Communicator, valueOfRank } from "@finegrain/distributed";
import type { Backend } from "@finegrain/graph";
import { type LanguageModel, parameterCount } from "@finegrain/nn";
import { type Corpus, examplesOf } from "@finegrain/train";
import { EVALUATIONS, type RunConfig } from "./config.ts";
import type { RunSizes } from "./defaults.ts";
import { EVALUATED_TOKENS, median, openTrainer } from "./training-loop.ts";

/** Steps that are measured, after one that compiles. */
const MEASURED_STEPS = 3;
/** The part of the time that goes into steps and evaluations; the rest is for checkpoints. */
const TRAINING = 0.95;
/** A token that is only evaluated is a forward pass, of what a step does a third. */
const EVALUATED_TOKEN = 1 / 3;
/** A model of more parameters than this part of the tokens that it would see learns less in the same time. */
const PARAMETERS_PER_TOKEN = 0.25;

/** A run of some sizes, of as many steps as it is asked for. */
export interface Candidate {
  readonly model: LanguageModel;
  config(steps: number): RunConfig;
}

/** How fast a candidate trains. */
export interface Measured {
  readonly config: RunConfig;
  readonly tokensPerSecond: number;
  /** Seconds that measuring took, of all candidates. */
  readonly seconds: number;
}

export interface BudgetInput {
  readonly backend: Backend;
  readonly corpus: Corpus;
  /** Seconds that the run may take, measuring included. */
  readonly seconds: number;
  /** From small to large. */
  readonly sizes: readonly RunSizes[];
  /** The run of such sizes, where the caller names none of its own. */
  candidate(sizes: RunSizes): Candidate;
  /** The processes that train together: they choose what rank 0 chooses. Default: this one alone. */
  readonly communicator?: Communicator | undefined;
  readonly expertParallel?: boolean | undefined;
  /** An abort ends the measurement with the signal's reason as its error. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * The sizes and steps that make the most of a time on a device, found by training for a moment: the smallest sizes first,
 * then the largest that would still see enough tokens.
 *
 * @throws FinegrainError where the text is too short for a batch, or a model cannot be.
 */
export async function withinSeconds(input: BudgetInput): Promise<Measured> {
  const { communicator = alone() } = input;
  const started = performance.now();
  const elapsed = () => (performance.now() - started) / 1000;
  const left = () => Math.max(0, (input.seconds - elapsed()) * TRAINING);
  const candidates = input.sizes.map((sizes) => input.candidate(sizes));
  const parametersOf = ({ model }: Candidate) => parameterCount(model.params);

  let chosen = candidates[0]!; // there are some
  let speed = await tokensPerSecond(input, chosen);
  // As much arithmetic a second as the first does, in larger pieces.
  const tokensOf = (other: Candidate) => (left() * speed * parametersOf(chosen)) / parametersOf(other);
  const fits = (other: Candidate) => parametersOf(other) <= PARAMETERS_PER_TOKEN * tokensOf(other);
  const largest = candidates[valueOfRank(communicator, candidates.findLastIndex(fits))];
  if (largest && parametersOf(largest) > parametersOf(chosen)) {
    chosen = largest;
    speed = await tokensPerSecond(input, chosen);
  }
  const { batch, accumulate, length } = chosen.config(1).training;
  const evaluated = EVALUATIONS * Math.min(input.corpus.heldOut.length, EVALUATED_TOKENS) * EVALUATED_TOKEN;
  const steps = Math.max(1, Math.floor((left() * speed - evaluated) / (batch * accumulate * length)));
  const config = chosen.config(valueOfRank(communicator, steps));
  return { config, tokensPerSecond: speed, seconds: elapsed() };
}

async function tokensPerSecond(
  { backend, corpus, signal, communicator, expertParallel }: BudgetInput,
  { model, config }: Candidate,
): Promise<number> {
  const own = config(MEASURED_STEPS + 1);
  const { accumulate } = own.training;
  const batches = examplesOf(corpus, model).train(own.training);
  await using trainer = await openTrainer({ backend, config: own, model, communicator, expertParallel });
  const speeds: number[] = [];
  for (let step = 0; step <= MEASURED_STEPS; step++) {
    signal?.throwIfAborted();
    const { tokens, milliseconds } = await trainer.run(batches.ofStep(step, accumulate, trainer.share));
    speeds.push((1000 * tokens) / milliseconds);
  }
  return median(speeds.slice(1))!; // some steps were measured
}
