import {
  add,
  broadcastTo,
  cast,
  div,
  einsum,
  gather,
  iota,
  less,
  logSumExp,
  mean,
  mul,
  neg,
  oneHot,
  reduceMax,
  reduceSum,
  reshape,
  scatterAdd,
  size,
  softmax,
  stopGradient,
  sub,
  type Tensor,
} from "@finegrain/graph";
import type { Context } from "../../../context.ts";
import type { Weights } from "../../../layer.ts";
import type { Experts, ExpertsParams } from "./experts.ts";

/*
 * What routed layers have in common. Axes: N tokens, E experts, C slots of an expert, D model.
 */

const everyAxis = ({ shape }: Tensor): { axes: number[] } => ({ axes: shape.map((_, axis) => axis) });

/**
 * mean (log Σₑ exp L)², which keeps a router's logits small. Zoph et al. 2022, "ST-MoE", eq. 5.
 *
 *   logits  float32 [..., E]
 */
export function routerZLoss(logits: Tensor): Tensor {
  const magnitude = logSumExp(logits);
  return mean(mul(magnitude, magnitude), everyAxis(magnitude));
}

/**
 * E Σₑ (mean probability of e) · (part of the tokens that chose e), least where both are even. Its gradient goes through the
 * probabilities alone. Fedus et al. 2021, "Switch Transformers", eq. 4.
 *
 *   probabilities  float32 [N, E]
 *   chosen         float32 [N, E]   1 where a token chose the expert, whether or not the expert had room
 *   tokens         the axes of tokens, where they are others than the first; all others are experts
 */
export function loadBalancingLoss(probabilities: Tensor, chosen: Tensor, tokens: readonly number[] = [0]): Tensor {
  const part = mean(stopGradient(chosen), { axes: tokens });
  const product = mul(mean(probabilities, { axes: tokens }), part);
  return mul(reduceSum(product, everyAxis(product)), size(product.shape));
}

/** Add `weight` times a loss to a pass's, where there is a weight and somebody to take it. */
export function addLoss({ ledger }: Context, name: string, weight: number, loss: Tensor): void {
  if (ledger && weight > 0) ledger.loss(name, mul(loss, weight));
}

/** What a layer's routing came to. */
export interface Routing {
  /** float32 [E]: tokens that each expert took. */
  readonly load: Tensor;
  /** float32, one element a token: above 0 where at least one expert took it. */
  readonly taken: Tensor;
  /** float32 [..., n]: what the softmax along the last axis was taken of. */
  readonly logits: Tensor;
}

/**
 * Metrics of a routing: `expertLoad.max` and `expertLoad.min` (tokens of the busiest and the idlest expert over the mean),
 * `droppedTokens` (part of the tokens that no expert took) and `routerEntropy` (nats, mean).
 */
export function reportRouting({ ledger }: Context, { load, taken, logits }: Routing): void {
  if (!ledger) return;
  const average = mean(load, { axes: [0] });
  const largest = (x: Tensor): Tensor => reduceMax(x, { axes: [0] });
  ledger.metric("expertLoad.max", div(largest(load), average));
  ledger.metric("expertLoad.min", neg(div(largest(neg(load)), average)));
  ledger.metric("droppedTokens", sub(1, mean(cast(less(0, taken), "float32"), everyAxis(taken))));
  const expected = reduceSum(mul(softmax(logits), logits), { axes: [logits.shape.length - 1] });
  const entropy = sub(logSumExp(logits), expected);
  ledger.metric("routerEntropy", mean(entropy, everyAxis(entropy)));
}

/** Where each expert's rows come from and what they count. */
export interface Slots {
  /** int32 [E, C]: a token's number. */
  readonly tokens: Tensor;
  /** float32 [E, C]: the factor of the expert's output; 0 where a slot is empty. */
  readonly weights: Tensor;
}

/** Sum of what the experts make of the tokens in their slots: [N, D] -> [N, D]. 0 for a token in no slot. */
export function throughSlots(x: Tensor, { tokens, weights }: Slots, f: (rows: Tensor) => Tensor): Tensor {
  const y = mul(f(gather(x, tokens)), reshape(weights, [...weights.shape, 1]));
  return scatterAdd(tokens, y, { rows: x.shape[0]! });
}

/** table[n, e] for every token n in a slot of expert e: float32 [N, E], int32 [E, C] -> float32 [E, C]. */
export function atSlots(table: Tensor, tokens: Tensor): Tensor {
  const [rows, count] = table.shape as [number, number];
  const own = iota({ shape: [count, 1], axis: 0 });
  return gather(reshape(table, [rows * count]), add(mul(tokens, count), own));
}

/**
 * Sum of what a token's own experts make of it, weighted by its entry in `table`: [N, D] -> [N, D]. Few tokens read the
 * weights of their experts alone; many, which need all of them anyway, share one product over all experts.
 *
 *   chosen  int32    [N, K]
 *   table   float32  [N, E]
 */
export function throughChosen(
  experts: Experts,
  w: Weights<ExpertsParams>,
  x: Tensor,
  chosen: Tensor,
  table: Tensor,
): Tensor {
  const [[rows, k], count] = [chosen.shape as [number, number], table.shape[1]!];
  const hot = oneHot(chosen, { classes: count });
  if (rows * k < count) {
    const weights = einsum(hot, table, "N K E, N E -> N K");
    return einsum(experts.applyChosen(w, x, chosen), weights, "N K D, N K -> N D");
  }
  const everywhere = experts.apply(w, broadcastTo(reshape(x, [1, ...x.shape]), [count, ...x.shape]));
  return einsum(everywhere, mul(table, reduceSum(hot, { axes: [1] })), "E N D, N E -> N D");
}

/**
 * Experts on mixtures of the tokens of each group, and what they make of them back to the tokens.
 *
 *   groups  float32 [G, T, D]
 *   merge   float32 [G, E, T]   what a token counts in an expert's mixture
 *   emit    float32 [G, E, T]   what an expert's output counts for a token
 *   f       float32 [E, G, D], the same out as in
 */
export function throughMixtures(groups: Tensor, merge: Tensor, emit: Tensor, f: (rows: Tensor) => Tensor): Tensor {
  return einsum(emit, f(einsum(merge, groups, "G E T, G T D -> E G D")), "G E T, E G D -> G T D");
}
