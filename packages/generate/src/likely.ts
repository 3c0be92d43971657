import { concat, gather, type HostTensor, logSoftmax, max, reshape, type Tensor, topK } from "@finegrain/graph";

/** A token, and the logarithm of its probability: the model's own, before penalties and temperature. */
export interface TokenProbability {
  readonly token: number;
  readonly logProbability: number;
}

/** A token that was drawn. */
export interface DrawnToken extends Partial<TokenProbability> {
  readonly token: number;
  /** The most likely tokens, the likeliest first, where they were asked for. */
  readonly likely?: readonly TokenProbability[];
  /** Of the step that drew it, which read the token before: what the generator's `watch` makes. */
  readonly watched?: Readonly<Record<string, HostTensor>>;
}

/**
 * What is said of a draw: the token, then the `count` most likely ones.
 *
 *   logits   float32  [V]
 *   token    int32    []   as `drawToken` gives it
 *   returns  tokens int32 [1 + count], logProbabilities float32 [1 + count]
 */
export function likely(logits: Tensor, token: Tensor, count: number): { tokens: Tensor; logProbabilities: Tensor } {
  const drawn = reshape(max(token, 0), [1]); // a token below 0 is none, and nobody will ask
  const tokens = count === 0 ? drawn : concat(drawn, topK(logits, { k: count }), { axis: 0 });
  return { tokens, logProbabilities: gather(logSoftmax(logits), tokens) };
}
