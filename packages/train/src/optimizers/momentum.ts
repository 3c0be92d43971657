import { add, mul, sub } from "@finegrain/graph";
import type { Optimizer } from "./optimizer.ts";
import { decayed, type WeightDecayConfig } from "./weight-decay.ts";

export interface MomentumConfig extends WeightDecayConfig {
  /** How much of the velocity stays from step to step. Default 0.9. */
  readonly mass?: number;
  /** Look ahead along the new velocity. Default true. */
  readonly nesterov?: boolean;
}

/**
 * Gradient descent with momentum:  v ← μ v + g;  w ← w - η (μ v + g), or w - η v without Nesterov's look ahead. Sutskever et al.
 * 2013; Trax `Momentum`.
 */
export function momentum(config: MomentumConfig = {}): Optimizer {
  const { mass = 0.9, nesterov = true } = config;
  return {
    name: "momentum",
    elementwise: true,
    slots: ({ shape }) => ({ v: { dtype: "float32", shape } }),
    update(given) {
      const { gradient, slots, learningRate } = given;
      const v = add(mul(slots.v!, mass), gradient);
      const direction = nesterov ? add(mul(v, mass), gradient) : v;
      return { param: sub(decayed(given, config), mul(direction, learningRate)), slots: { v } };
    },
  };
}
