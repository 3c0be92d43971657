import { FinegrainError, philox, uniformFromBits } from "@finegrain/graph";
import { descending } from "./descending.ts";

export interface SamplingOptions {
  /** Logits are divided by it. 0 is greedy: the most likely token, the first of equals. Default 1. */
  readonly temperature?: number;
  /** Only the k most likely tokens are drawn from. Default: all. */
  readonly topK?: number;
  /**
   * Nucleus sampling (Holtzman et al., "The Curious Case of Neural Text Degeneration", 2020): only the fewest most likely
   * tokens whose probabilities together reach p are drawn from. After temperature and top-k. In (0, 1]; default 1.
   */
  readonly topP?: number;
}

/** A token from the logits [vocabulary] of one position. */
export type Sampler = (logits: Float32Array) => number;

/**
 * A sampler with these options.
 *
 * @param random the next number in [0, 1), e.g. from {@link seededRandom}; called once a token, never when greedy.
 * @throws FinegrainError where an option is out of its range. The sampler throws it where a logit is NaN or +infinite,
 *   all are -infinite, or there is none.
 */
export function sampler(options: SamplingOptions, random: () => number): Sampler {
  const { temperature = 1, topK = Number.POSITIVE_INFINITY, topP = 1 } = options;
  checkSampling(options);
  if (temperature === 0) return greedy;
  return (logits) => {
    const best = logits[greedy(logits)]!;
    const weight = (token: number) => Math.exp((logits[token]! - best) / temperature);
    if (topK >= logits.length && topP === 1) return drawFromAll(logits, weight, random());
    const { tokens, weights } = candidates(logits, weight, topK, topP);
    return draw(tokens, weights, random());
  };
}

/**
 * The most likely token; the first of equals.
 *
 * @throws FinegrainError as {@link sampler}.
 */
export const greedy: Sampler = (logits) => {
  let best = 0;
  for (let token = 0; token < logits.length; token++) {
    const logit = logits[token]!;
    if (logit > logits[best]!) best = token;
    else if (Number.isNaN(logit)) throw new FinegrainError(`the logit of token ${token} is NaN`);
  }
  if (logits.length === 0) throw new FinegrainError("there are no logits to choose a token from");
  if (!Number.isFinite(logits[best])) {
    throw new FinegrainError(`the largest logit, of token ${best}, is ${logits[best]}`);
  }
  return best;
};

/**
 * Numbers in (0, 1) from a seed: number n of a seed is always the same one (Philox 4x32-10).
 *
 * @param seed any integer up to 2^53.
 * @param from the number of the first draw.
 */
export function seededRandom(seed: number, from = 0): () => number {
  const key = [seed | 0, Math.floor(seed / 2 ** 32) | 0];
  let draw = from;
  return () => uniformFromBits(philox(key, [draw++, SAMPLING_DRAW], 1)[0]!);
}

/** Second counter word of these draws, so that they coincide with no others of the same seed. */
const SAMPLING_DRAW = 0x73616d70;

/** @throws FinegrainError one sentence about the first option that is out of its range. */
export function checkSampling({ temperature = 1, topK = 1, topP = 1 }: SamplingOptions): void {
  if (!(temperature >= 0 && temperature < Number.POSITIVE_INFINITY)) {
    throw new FinegrainError(`temperature must be greater than 0, or 0 for greedy, not ${temperature}`);
  }
  if (!(topK >= 1) || (topK !== Number.POSITIVE_INFINITY && !Number.isInteger(topK))) {
    throw new FinegrainError(`top-k must be a whole number of at least 1, not ${topK}`);
  }
  if (!(topP > 0 && topP <= 1)) throw new FinegrainError(`top-p must be greater than 0 and at most 1, not ${topP}`);
}

/** The most likely tokens that top-k and top-p leave, and their weights, in descending order. */
function candidates(logits: Float32Array, weight: (token: number) => number, topK: number, topP: number) {
  const order = descending(logits);
  const tokens: number[] = [];
  const weights: number[] = [];
  if (topK < logits.length) {
    let sum = 0;
    for (let token = order.next(); token !== undefined && tokens.length < topK; token = order.next()) {
      tokens.push(token);
      weights.push(weight(token));
      sum += weights.at(-1)!;
    }
    const kept = nucleus(weights, topP * sum);
    return { tokens: tokens.slice(0, kept), weights: weights.slice(0, kept) };
  }
  let total = 0;
  for (let token = 0; token < logits.length; token++) total += weight(token);
  for (let sum = 0; sum < topP * total; ) {
    const token = order.next();
    if (token === undefined) break; // rounding kept the sum below the total
    tokens.push(token);
    weights.push(weight(token));
    sum += weights.at(-1)!;
  }
  return { tokens, weights };
}

/** How many of these descending weights are needed to reach `mass`. */
function nucleus(weights: readonly number[], mass: number): number {
  let sum = 0;
  for (let k = 0; k < weights.length; k++) {
    sum += weights[k]!;
    if (sum >= mass) return k + 1;
  }
  return weights.length;
}

function draw(tokens: readonly number[], weights: readonly number[], random: number): number {
  let left = random * weights.reduce((sum, w) => sum + w, 0);
  for (let k = 0; k < tokens.length; k++) {
    left -= weights[k]!;
    if (left < 0) return tokens[k]!;
  }
  return tokens[0]!; // rounding left a rest: the most likely one takes it
}

function drawFromAll(logits: Float32Array, weight: (token: number) => number, random: number): number {
  const weights = new Float64Array(logits.length);
  let total = 0;
  for (let token = 0; token < logits.length; token++) {
    weights[token] = weight(token);
    total += weights[token]!;
  }
  let left = random * total;
  for (let token = 0; token < weights.length; token++) {
    left -= weights[token]!;
    if (left < 0) return token;
  }
  return greedy(logits); // rounding left a rest: the most likely one takes it
}
