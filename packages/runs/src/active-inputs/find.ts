import { type Backend, FinegrainError, size } from "@finegrain/graph";
import {
  type ActiveInputs,
  filteredLM,
  leaves,
  loadWeights,
  MATRIX_INPUTS,
  type ModelConfig,
  type ModelWeights,
  type Param,
  scalingLM,
} from "@finegrain/nn";
import type { Corpus } from "@finegrain/train";
import { createInputMeasure, type InputMeasure } from "./measure.ts";
import { cheapestShares, type InputFacts, STEPS, shareOfWeights } from "./shares.ts";

export interface FindActiveInputsOptions {
  readonly backend: Backend;
  /** A language model of dense layers. */
  readonly model: ModelConfig;
  readonly weights: ModelWeights;
  /** Inputs are looked at on a part of its text to learn from. */
  readonly corpus: Corpus;
  /** The part by which bits per byte may grow, as 0.02. */
  readonly loss: number;
  readonly signal?: AbortSignal;
  onProgress?(done: number, all: number): void;
}

/** What was found: the config's field, and the part of the weights of those matrices that is read for a token. */
export interface FoundActiveInputs {
  readonly activeInputs: readonly ActiveInputs[];
  readonly share: number;
}

/** Windows of each part of text that is looked at, and the tokens of each at most. */
const [WINDOWS, LENGTH] = [2, 256];
/** Halvings of what lies between too much loss and too little. */
const HALVINGS = 6;

/**
 * The inputs of dense matrices that need not count, without training: TEAL, Liu et al. 2024, with shares by what they cost. Each input's cost
 * is measured alone, with half of its values; costs add up, and one bound on their sum is sought such that the loss of all together is the one
 * that is allowed, on text that the magnitudes were not taken from.
 *
 * @throws FinegrainError where the model's layers are not dense, the text is short, or the loss is not above 0.
 */
export async function findActiveInputs(options: FindActiveInputsOptions): Promise<FoundActiveInputs> {
  const { backend, model, corpus, loss } = options;
  if (!(loss > 0)) throw new FinegrainError(`the loss must be above 0, as 0.02, not ${loss}`);
  if (model.activeInputs || model.encoder || model.objective === "masked")
    throw new FinegrainError(
      `inputs are left out of language models ${model.activeInputs ? "once: this one has activeInputs" : "that write, without an encoder"}`,
    );
  scalingLM({ ...model, activeInputs: Array.from({ length: model.layers }, () => ({})) }); // which says what does not fit
  const length = Math.min(LENGTH, model.maxLength);
  const each = WINDOWS * (length + 1);
  if (corpus.train.length < 2 * each)
    throw new FinegrainError(
      `the text to learn from has ${corpus.train.length} tokens, and inputs are judged by ${2 * each}`,
    );
  const middle = Math.floor(corpus.train.length / 2);
  const parts = [corpus.train.slice(0, each), corpus.train.slice(middle, middle + each)].map((part) =>
    Int32Array.from(part),
  ) as [Int32Array, Int32Array];
  const whole = filteredLM(model, undefined, () => undefined);
  const weights = await loadWeights(backend, whole, options.weights, "float32");
  try {
    using measure = await createInputMeasure({ backend, config: model, weights, parts, windows: WINDOWS, length });
    return await search(measure, options);
  } finally {
    for (const [path, buffer] of weights) if (options.weights.get(path) !== buffer) buffer[Symbol.dispose]();
  }
}

async function search(
  measure: InputMeasure,
  { model, loss, signal, onProgress }: FindActiveInputsOptions,
): Promise<FoundActiveInputs> {
  const magnitudes = await measure.magnitudes();
  const all = magnitudes.length + HALVINGS + 1;
  let done = 0;
  const step = (): void => {
    signal?.throwIfAborted();
    onProgress?.(++done, all);
  };
  const least = (i: number, share: number): number =>
    share >= 1 ? 0 : magnitudes[i]![Math.round((1 - share) * (magnitudes[i]!.length - 1))]!;
  const weights = weightsOfInputs(model);
  const inputs: InputFacts[] = [];
  for (const [i, values] of magnitudes.entries()) {
    const alone = magnitudes.map((_, k) => (k === i ? least(i, 0.5) : 0));
    const { divergence } = await measure.judge(alone, 0);
    inputs.push({ weights: weights[i]!, lossAtHalf: Math.max(0, divergence), energy: energyOf(values) });
    step();
  }
  const { nats } = await measure.judge(
    magnitudes.map(() => 0),
    1,
  );
  step();
  let [low, high] = [0, inputs.reduce((sum, { lossAtHalf }) => sum + lossAtHalf, 0)];
  let shares = inputs.map(() => 1);
  for (let n = 0; n < HALVINGS; n++) {
    const bound = n === 0 ? Math.min(high, loss * nats) : (low + high) / 2;
    const tried = cheapestShares(inputs, bound);
    const found = await measure.judge(
      tried.map((share, i) => least(i, share)),
      1,
    );
    step();
    if (found.nats <= (1 + loss) * nats) [low, shares] = [bound, tried];
    else high = bound;
  }
  const activeInputs = Array.from({ length: model.layers }, (_, block): ActiveInputs => {
    const entries = MATRIX_INPUTS.map((name, k) => [name, block * MATRIX_INPUTS.length + k] as const);
    const chosen = entries.filter(([, i]) => shares[i]! < 1);
    return Object.fromEntries(chosen.map(([name, i]) => [name, { least: least(i, shares[i]!), share: shares[i]! }]));
  });
  return { activeInputs, share: shareOfWeights(inputs, shares) };
}

/** Of values in order: the part of their squares that is in so many steps of the smallest. */
function energyOf(values: Float32Array): number[] {
  const energy = [0];
  let sum = 0;
  for (const [i, value] of values.entries()) {
    sum += value * value;
    while (energy.length <= STEPS && i + 1 >= (energy.length * values.length) / STEPS) energy.push(sum);
  }
  return energy.map((part) => part / Math.max(sum, Number.MIN_VALUE));
}

/** Weights behind each input, by block and then as in `MATRIX_INPUTS`. */
function weightsOfInputs(model: ModelConfig): number[] {
  return Array.from({ length: model.layers }).flatMap((_, block) =>
    MATRIX_INPUTS.map((name) => {
      const { params } = filteredLM(model, undefined, (b, n) => (b === block && n === name ? (x) => x : undefined));
      return leaves<Param>(params).reduce((sum, [, own]) => sum + (own.skipsZeros ? size(own.shape) : 0), 0);
    }),
  );
}
