import { add, cast, div, mul, pow, scalar, sqrt, sub } from "@finegrain/graph";
import type { Optimizer } from "./optimizer.ts";
import { decayed, type WeightDecayConfig } from "./weight-decay.ts";

export interface AdamWConfig extends WeightDecayConfig {
  /** Default 0.9. */
  readonly beta1?: number;
  /** Default 0.999. */
  readonly beta2?: number;
  /** Added to the root. Default 1e-8. */
  readonly epsilon?: number;
}

/**
 * Adam with decoupled weight decay.
 *
 *   m ← β₁ m + (1 - β₁) g;  v ← β₂ v + (1 - β₂) g²;  w ← w - η (m̂ / (√v̂ + ε)),  m̂ = m / (1 - β₁ᵗ), v̂ = v / (1 - β₂ᵗ)
 *
 * Kingma and Ba 2015; Loshchilov and Hutter 2019. The slots hold m / (1 - β₁) and v / (1 - β₂), so that the two
 * factors, like the corrections, are applied to scalars instead of whole tensors.
 */
export function adamW(config: AdamWConfig = {}): Optimizer {
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 } = config;
  return {
    name: "adamw",
    elementwise: true,
    slots: ({ shape }) => ({ m: { dtype: "float32", shape }, v: { dtype: "float32", shape } }),
    update(given) {
      const { gradient, slots, step, learningRate } = given;
      const t = add(cast(step, "float32"), 1);
      const m = add(mul(slots.m!, beta1), gradient);
      const v = add(mul(slots.v!, beta2), mul(gradient, gradient));
      // η m̂ / (√v̂ + ε) = rate · m / (√v + floor)
      const root = sqrt(div(sub(1, pow(scalar(beta2), t)), 1 - beta2));
      const rate = mul(learningRate, div(mul(root, 1 - beta1), sub(1, pow(scalar(beta1), t))));
      const update = div(mul(m, rate), add(sqrt(v), mul(root, epsilon)));
      return { param: sub(decayed(given, config), update), slots: { m, v } };
    },
  };
}
