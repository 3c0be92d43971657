import { FinegrainError, hostTensor } from "@finegrain/graph";

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
  /** Any integer up to 2^53; the same seed draws the same tokens. Default 0. */
  readonly seed?: number;
}

/** The part of {@link SamplingOptions} that a graph is made for. Their numbers are inputs, so that few graphs serve all. */
export interface DrawKind {
  /** Take the most likely token. Then nothing else counts. */
  readonly greedy: boolean;
  /** Draw from so many of the most likely tokens; undefined: from all. */
  readonly topK: number | undefined;
  /** Draw from the fewest that reach a probability. */
  readonly nucleus: boolean;
}

/** What these options ask of a model with so many tokens. */
export function drawKind({ temperature = 1, topK, topP = 1 }: SamplingOptions, vocabulary: number): DrawKind {
  if (temperature === 0 || topK === 1) return { greedy: true, topK: undefined, nucleus: false };
  return { greedy: false, topK: topK !== undefined && topK < vocabulary ? topK : undefined, nucleus: topP < 1 };
}

/** The numbers of the options, as the inputs of a graph that draws: the seed's two words, and temperature and p. */
export const drawNumbers = ({ temperature = 1, topP = 1, seed = 0 }: SamplingOptions) => ({
  key: hostTensor("int32", [2], [seed | 0, Math.floor(seed / 2 ** 32) | 0]),
  settings: hostTensor("float32", [2], [temperature, topP]),
});

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

/**
 * The token that a graph drew.
 *
 * @param drawn as `drawToken` of `draw-token.ts` gives it.
 * @param position tokens before it.
 * @throws FinegrainError where the logits were no distribution.
 */
export function tokenOf(drawn: number, position: number): number {
  if (drawn >= 0) return drawn;
  throw new FinegrainError(
    `no token can be drawn behind ${position}: the largest logit, of token ${-1 - drawn}, is NaN or infinite`,
  );
}
