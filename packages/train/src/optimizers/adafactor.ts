import { add, cast, div, max, mean, mul, pow, reshape, type Shape, sqrt, sub, type Tensor } from "@finegrain/graph";
import type { Optimizer, OptimizerStep, Slots } from "./optimizer.ts";
import { decayed, type WeightDecayConfig } from "./weight-decay.ts";

export interface AdafactorConfig extends WeightDecayConfig {
  /** Keep the second moment of a matrix as its row and column means. Default true. */
  readonly factored?: boolean;
  /** Scale an update by the root mean square of the weights. Default true. */
  readonly multiplyByParameterScale?: boolean;
  /** Largest root mean square of an update before it is scaled; 0 is none. Default 1. */
  readonly clippingThreshold?: number;
  /** β₂ of step t is 1 - t^-decayRate. Default 0.8. */
  readonly decayRate?: number;
  /** Momentum; 0 is none and needs no slot. Default 0. */
  readonly beta1?: number;
  /** Added to squared gradients. Default 1e-30. */
  readonly epsilon1?: number;
  /** Least root mean square that weights are taken to have. Default 1e-3. */
  readonly epsilon2?: number;
}

const everyAxis = ({ shape }: { readonly shape: Shape }): number[] => shape.map((_, axis) => axis);

/** float32 []: root mean square of all elements. */
const rootMeanSquare = (x: Tensor): Tensor => sqrt(mean(mul(x, x), { axes: everyAxis(x) }));

/**
 * Adam whose second moment of a matrix is the product of its rows' and columns' means, in sublinear memory.
 *
 *   V ≈ r cᵀ / mean(r);  w ← w - η max(ε₂, rms(w)) clip(g / √V)
 *
 * Shazeer and Stern 2018. Parameters of rank 2 and more are factored over their last two axes, as in Trax.
 */
export function adafactor(config: AdafactorConfig = {}): Optimizer {
  const { factored = true, beta1 = 0, multiplyByParameterScale = true, clippingThreshold = 1 } = config;
  const { decayRate = 0.8, epsilon1 = 1e-30, epsilon2 = 1e-3 } = config;
  const factors = (shape: Shape) => factored && shape.length >= 2;
  return {
    name: "adafactor",
    slots: ({ shape }) => ({
      ...(factors(shape)
        ? {
            row: { dtype: "float32", shape: shape.slice(0, -1) },
            column: { dtype: "float32", shape: [...shape.slice(0, -2), ...shape.slice(-1)] },
          }
        : { v: { dtype: "float32", shape } }),
      ...(beta1 > 0 ? { m: { dtype: "float32", shape } } : {}),
    }),
    update(given: OptimizerStep) {
      const { param, slots, step, learningRate } = given;
      const keep = sub(1, pow(add(cast(step, "float32"), 1), -decayRate));
      const normal = factors(param.shape) ? factoredUpdate(given, keep, epsilon1) : fullUpdate(given, keep, epsilon1);
      // A step that is too long is made `clippingThreshold` long, and scaled by the learning rate in the same product.
      const scale = multiplyByParameterScale ? mul(learningRate, max(rootMeanSquare(param), epsilon2)) : learningRate;
      const clip = clippingThreshold > 0 ? max(div(rootMeanSquare(normal.update), clippingThreshold), 1) : undefined;
      const own = mul(normal.update, clip ? div(scale, clip) : scale);
      const m = beta1 > 0 ? add(mul(slots.m!, beta1), mul(own, 1 - beta1)) : undefined;
      return {
        param: sub(decayed(given, config), m ?? own),
        slots: { ...normal.slots, ...(m ? { m } : {}) },
      };
    },
  };
}

/** keep · old + (1 - keep) · fresh. */
const mix = (old: Tensor, fresh: Tensor, keep: Tensor): Tensor => add(mul(old, keep), mul(fresh, sub(1, keep)));

type Normalized = { readonly update: Tensor; readonly slots: Slots<Tensor> };

/** g / √v with v kept whole. */
function fullUpdate({ gradient, slots }: OptimizerStep, keep: Tensor, epsilon: number): Normalized {
  const v = mix(slots.v!, add(mul(gradient, gradient), epsilon), keep);
  return { update: div(gradient, sqrt(add(v, epsilon))), slots: { v } };
}

/** g / √(r cᵀ / mean(r)) over the last two axes. */
function factoredUpdate({ gradient, slots }: OptimizerStep, keep: Tensor, epsilon: number): Normalized {
  const rank = gradient.shape.length;
  const square = add(mul(gradient, gradient), epsilon);
  const row = mix(slots.row!, mean(square, { axes: [rank - 1] }), keep);
  const column = mix(slots.column!, mean(square, { axes: [rank - 2] }), keep);
  const mid = mean(row, { axes: [rank - 2], keepDims: true });
  const rows = reshape(sqrt(div(mid, add(row, epsilon))), [...row.shape, 1]);
  const columns = sqrt(div(1, add(column, epsilon)));
  const across = reshape(columns, [...column.shape.slice(0, -1), 1, column.shape.at(-1)!]);
  return { update: mul(mul(gradient, rows), across), slots: { row, column } };
}
