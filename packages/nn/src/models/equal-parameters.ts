import { FinegrainError } from "@finegrain/graph";
import { parameterCount } from "../layer.ts";
import type { ModelConfig, SizedConfig } from "./config.ts";
import { modelOf } from "./model-of.ts";
import { unitStep } from "./parts.ts";

/** Two models are of equal parameter count where their numbers differ by no more than this part. */
const TOLERANCE = 0.01;

/**
 * `sparse` with the feed-forward width at which it has as many parameters as `dense`, within 1 %.
 * @throws FinegrainError where no width does it: the rest is larger already, or one block is too large a step.
 */
export function equalParameters(dense: ModelConfig, sparse: ModelConfig): SizedConfig {
  const target = parameterCount(modelOf(dense).params);
  const step = unitStep(sparse);
  const count = (units: number) => parameterCount(modelOf({ ...sparse, dFf: units * step }).params);
  const perUnit = count(2) - count(1); // parameters are linear in the width
  const units = Math.max(1, Math.round((target - (count(1) - perUnit)) / perUnit));
  const reached = count(units);
  if (Math.abs(reached - target) > TOLERANCE * target)
    throw new FinegrainError(
      `no dFf gives the sparse model the dense one's ${target} parameters within 1 %: ${units * step} gives ${reached}`,
    );
  return { ...sparse, dFf: units * step };
}
