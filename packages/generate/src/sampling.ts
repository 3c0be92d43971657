import { FinegrainError, type HostTensor, hostTensor, input, type Tensor, type TensorType } from "@finegrain/graph";

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
  /**
   * Only tokens are drawn from whose probability is at least this share of the most likely one's (Nguyen et al., "Turning Up the Heat:
   * Min-p Sampling", 2024). After temperature and top-k. In [0, 1]; default 0: all.
   */
  readonly minP?: number;
  /**
   * A token that the text has already, in its prompt or behind it, has its logit divided by this where that is above 0 and multiplied
   * where it is below (Keskar et al., "CTRL", 2019). Before all else, greedy too. Above 0; default 1: none. The text is what was given to
   * write on from, and of a window that slides what is in it: what a session read before is not counted.
   */
  readonly repetitionPenalty?: number;
  /** What is taken off the logit of a token of the same text that was written, the prompt's aside. Before all else, greedy too. Default 0. */
  readonly presencePenalty?: number;
  /**
   * Say with every token how likely it was, and so many of the most likely ones with it: as logarithms of the model's own
   * probabilities, before penalties and temperature. Default: neither.
   */
  readonly logProbabilities?: number | undefined;
  /** Any integer up to 2^53; the same seed draws the same tokens. Default 0. */
  readonly seed?: number;
}

/** The part of {@link SamplingOptions} that a graph is made for. Their numbers are inputs, so that few graphs serve all. */
export interface DrawKind {
  /** Take the most likely token. Then only penalties count. */
  readonly greedy: boolean;
  /** Draw from so many of the most likely tokens; undefined: from all. */
  readonly topK: number | undefined;
  /** Draw from the fewest that reach a probability. */
  readonly nucleus: boolean;
  /** Draw from those that are likely enough beside the most likely one. */
  readonly minP: boolean;
  /** What the text has already is less likely. */
  readonly penalties: boolean;
  /** Say how likely the token was and so many of the most likely ones; undefined: neither. */
  readonly likely: number | undefined;
}

/** What these options ask of a model with so many tokens. */
export function drawKind(options: SamplingOptions, vocabulary: number): DrawKind {
  const { temperature = 1, topK, topP = 1, minP = 0, repetitionPenalty = 1, presencePenalty = 0 } = options;
  const both = {
    penalties: repetitionPenalty !== 1 || presencePenalty !== 0,
    likely: options.logProbabilities === undefined ? undefined : Math.min(options.logProbabilities, vocabulary),
  };
  if (temperature === 0 || topK === 1) return { greedy: true, topK: undefined, nucleus: false, minP: false, ...both };
  const fewer = topK !== undefined && topK < vocabulary ? topK : undefined;
  return { greedy: false, topK: fewer, nucleus: topP < 1, minP: minP > 0, ...both };
}

/** Numbers that a draw takes, as inputs of its graph. */
const DRAW_TYPES = {
  /** The seed's two words. */
  key: { dtype: "int32", shape: [2] },
  /** Temperature, p of the nucleus, and min-p. */
  settings: { dtype: "float32", shape: [3] },
} as const;

/** Numbers that penalties take. */
const PENALTY_TYPES = {
  /** Of repetition, and of presence. */
  penalties: { dtype: "float32", shape: [2] },
  /** Tokens before the first that is written. */
  promptEnd: { dtype: "int32", shape: [] },
} as const;

type NumberName = keyof typeof DRAW_TYPES | keyof typeof PENALTY_TYPES;

/** What a graph that draws takes, of its kind. */
export type DrawInputs = Readonly<Partial<Record<NumberName, Tensor>>>;

const drawTypes = ({ greedy, penalties }: DrawKind): Readonly<Partial<Record<NumberName, TensorType>>> => ({
  ...(!greedy && DRAW_TYPES),
  ...(penalties && PENALTY_TYPES),
});

/** The numbers that a kind of draw takes, as inputs of a graph. */
export const drawInputs = (kind: DrawKind): DrawInputs =>
  Object.fromEntries(
    Object.entries(drawTypes(kind)).map(([name, { dtype, shape }]) => [name, input(shape, dtype, name)]),
  );

/**
 * The numbers of the options, for the inputs of {@link drawInputs}.
 * @param promptEnd tokens before the first that is written.
 */
export function drawNumbers(
  options: SamplingOptions,
  kind: DrawKind,
  promptEnd: number,
): Readonly<Record<string, HostTensor>> {
  const { temperature = 1, topP = 1, minP = 0, seed = 0, repetitionPenalty = 1, presencePenalty = 0 } = options;
  const numbers: Record<NumberName, readonly number[]> = {
    key: [seed | 0, Math.floor(seed / 2 ** 32) | 0],
    settings: [temperature, topP, minP],
    penalties: [repetitionPenalty, presencePenalty],
    promptEnd: [promptEnd],
  };
  return Object.fromEntries(
    Object.entries(drawTypes(kind)).map(([name, { dtype, shape }]) => [
      name,
      hostTensor(dtype, shape, numbers[name as NumberName]), // `drawTypes` has no other names
    ]),
  );
}

/** @throws FinegrainError one sentence about the first option that is out of its range. */
export function checkSampling(options: SamplingOptions): void {
  const { temperature = 1, topK = 1, topP = 1, minP = 0 } = options;
  const { repetitionPenalty = 1, presencePenalty = 0, logProbabilities = 0 } = options;
  if (!(temperature >= 0 && temperature < Number.POSITIVE_INFINITY)) {
    throw new FinegrainError(`temperature must be greater than 0, or 0 for greedy, not ${temperature}`);
  }
  if (!(topK >= 1) || (topK !== Number.POSITIVE_INFINITY && !Number.isInteger(topK))) {
    throw new FinegrainError(`top-k must be a whole number of at least 1, not ${topK}`);
  }
  if (!(topP > 0 && topP <= 1)) throw new FinegrainError(`top-p must be greater than 0 and at most 1, not ${topP}`);
  if (!(minP >= 0 && minP <= 1)) throw new FinegrainError(`min-p must be from 0 to 1, not ${minP}`);
  if (!(repetitionPenalty > 0 && repetitionPenalty < Number.POSITIVE_INFINITY))
    throw new FinegrainError(`the repetition penalty must be greater than 0, not ${repetitionPenalty}`);
  if (!Number.isFinite(presencePenalty))
    throw new FinegrainError(`the presence penalty must be a number, not ${presencePenalty}`);
  if (!(Number.isInteger(logProbabilities) && logProbabilities >= 0))
    throw new FinegrainError(`the most likely tokens to tell must be a whole number, not ${logProbabilities}`);
}

/**
 * The token that a graph drew.
 *
 * @param drawn as `drawToken` gives it.
 * @param position tokens before it.
 * @throws FinegrainError where the logits were no distribution.
 */
export function tokenOf(drawn: number, position: number): number {
  if (drawn >= 0) return drawn;
  throw new FinegrainError(
    `no token can be drawn behind ${position}: the largest logit, of token ${-1 - drawn}, is NaN or infinite`,
  );
}
