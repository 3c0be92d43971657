import {
  add,
  argMax,
  cast,
  crossEntropy,
  div,
  equal,
  FinegrainError,
  logSoftmax,
  max,
  mean,
  mul,
  reduceSum,
  sameShape,
  sub,
  type Tensor,
  typeName,
} from "@finegrain/graph";

/** Predictions, what they should have been, and how much each counts: 0 where there is nothing to predict. */
export interface WeightedPredictions {
  /** float32 [..., classes]. */
  readonly logits: Tensor;
  /** int32 [...]. */
  readonly targets: Tensor;
  /** float32 [...]. */
  readonly weights: Tensor;
}

export interface WeightedCrossEntropyOptions {
  /** Part of the probability that is spread over all classes. Default 0. */
  readonly labelSmoothing?: number;
  /** A surprise of so many nats or less counts as none, and one above it as the rest. Default 0. */
  readonly cutoff?: number;
}

/**
 * The mean surprise of the targets, in nats, each counted by its weight: Σ w · CE / Σ w, float32 []. Trax
 * `WeightedCategoryCrossEntropy`; label smoothing of Szegedy et al. 2015.
 *
 * @throws FinegrainError where the label smoothing is not from 0 to 1.
 */
export function weightedCrossEntropy(
  { logits, targets, weights }: WeightedPredictions,
  { labelSmoothing = 0, cutoff = 0 }: WeightedCrossEntropyOptions = {},
): Tensor {
  if (!(labelSmoothing >= 0 && labelSmoothing <= 1))
    throw new FinegrainError(`label smoothing is a part of the probability, from 0 to 1, not ${labelSmoothing}`);
  const sharp = crossEntropy(logits, targets);
  const spread = () => mul(mean(logSoftmax(logits), { axes: [logits.shape.length - 1] }), -labelSmoothing);
  const nats = labelSmoothing === 0 ? sharp : add(mul(sharp, 1 - labelSmoothing), spread());
  return weightedMean(cutoff > 0 ? sub(max(nats, cutoff), cutoff) : nats, weights);
}

/** Part of the targets that have the largest logit, each counted by its weight: float32 []. Trax `WeightedCategoryAccuracy`. */
export const weightedAccuracy = ({ logits, targets, weights }: WeightedPredictions): Tensor =>
  weightedMean(cast(equal(argMax(logits), targets), "float32"), weights);

/** @throws FinegrainError where the shapes differ. */
function weightedMean(values: Tensor, weights: Tensor): Tensor {
  if (!sameShape(values.shape, weights.shape))
    throw new FinegrainError(`there is one weight for each target, ${typeName(values)}, not ${typeName(weights)}`);
  const all = { axes: values.shape.map((_, axis) => axis) };
  return div(reduceSum(mul(values, weights), all), reduceSum(weights, all));
}
