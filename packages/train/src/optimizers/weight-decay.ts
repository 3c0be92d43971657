import { cast, FinegrainError, max, mul, sub, type Tensor } from "@finegrain/graph";
import type { OptimizerStep } from "./optimizer.ts";

export interface WeightDecayConfig {
  /** Default 0. */
  readonly weightDecay?: number;
  /**
   * Whether a step takes away `learningRate · weightDecay` of a weight ("decoupled", the default) or `weightDecay` of it
   * whatever the learning rate ("fixed", as Trax does).
   */
  readonly weightDecayScale?: "decoupled" | "fixed";
  /** Steps over which the decay goes down to 0, in a straight line. Default: it stays. */
  readonly weightDecaySteps?: number;
}

/** The parameter after its decay and before its update. Loshchilov and Hutter 2019, "Decoupled Weight Decay". */
export function decayed({ param, learningRate, step }: OptimizerStep, config: WeightDecayConfig): Tensor {
  const { weightDecay = 0, weightDecayScale = "decoupled", weightDecaySteps } = config;
  if (weightDecay === 0) return param;
  const rate = weightDecayScale === "fixed" ? weightDecay : mul(learningRate, weightDecay);
  if (weightDecaySteps !== undefined && !(weightDecaySteps >= 1))
    throw new FinegrainError(`the steps over which weights decay must be at least 1, not ${weightDecaySteps}`);
  if (weightDecaySteps === undefined) return mul(param, typeof rate === "number" ? 1 - rate : sub(1, rate));
  const left = mul(max(sub(weightDecaySteps, cast(step, "float32")), 0), 1 / weightDecaySteps);
  return mul(param, sub(1, mul(left, rate)));
}
