import { mul, sub, type Tensor } from "@finegrain/graph";

export interface WeightDecayConfig {
  /** Default 0. */
  readonly weightDecay?: number;
  /**
   * Whether a step takes away `learningRate · weightDecay` of a weight ("decoupled", the default) or `weightDecay` of it
   * whatever the learning rate ("fixed", as Trax does).
   */
  readonly weightDecayScale?: "decoupled" | "fixed";
}

/** The parameter after its decay and before its update. Loshchilov and Hutter 2019, "Decoupled Weight Decay". */
export function decayed(param: Tensor, learningRate: Tensor, config: WeightDecayConfig): Tensor {
  const { weightDecay = 0, weightDecayScale = "decoupled" } = config;
  if (weightDecay === 0) return param;
  return mul(param, weightDecayScale === "fixed" ? 1 - weightDecay : sub(1, mul(learningRate, weightDecay)));
}
