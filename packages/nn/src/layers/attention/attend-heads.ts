import { add, einsum, iota, lessEqual, mul, reshape, scalar, select, softmax, type Tensor } from "@finegrain/graph";

/** Queries [batch, heads, time, width], keys and values [batch, heads, length, width], all float32. */
export interface Heads {
  readonly query: Tensor;
  readonly key: Tensor;
  readonly value: Tensor;
}

/** What is added to the score of a key that a query does not see: after the softmax nothing is left of it. */
export const HIDDEN = -1e9;

/** What to add to scores, so that only what is `visible` (bool) is seen: float32 of its shape. */
export const hiding = (visible: Tensor): Tensor => select(visible, scalar(0), HIDDEN);

/** bool [batch, length] -> bool [batch, 1, 1, length]. */
export const overHeads = (isToken: Tensor): Tensor => reshape(isToken, [isToken.shape[0]!, 1, 1, isToken.shape[1]!]);

/** bool [time, time]: a query sees the keys up to its own place. */
export function causally(time: number): Tensor {
  const shape = [time, time];
  return lessEqual(iota({ shape, axis: 1 }), iota({ shape, axis: 0 }));
}

/** What is done to scores and weights. */
export interface Attending {
  /** Added to all scores: float32, broadcast to [batch, heads, time, length]. */
  readonly bias?: Tensor;
  /** What becomes of the weights of keys, each query's sum 1, before values are added up by them. */
  readonly drop?: (weights: Tensor) => Tensor;
}

/** softmax(scale q kᵀ + bias) v, head by head: float32 [batch, heads, time, width]. Vaswani et al. 2017, 3.2.1. */
export function attendHeads({ query, key, value }: Heads, scale: number, { bias, drop }: Attending = {}): Tensor {
  const scores = einsum(mul(query, scale), key, "B H T D, B H S D -> B H T S");
  const weights = softmax(bias ? add(scores, bias) : scores);
  return einsum(drop ? drop(weights) : weights, value, "B H T S, B H S D -> B H T D");
}
