import { f32 } from "../cases.ts";
import { ShapeError } from "../errors.ts";
import { type CompositeOp, defineComposite } from "../op.ts";
import { add } from "../ops/add.ts";
import { sumTo } from "../ops/broadcast-sum.ts";
import { div } from "../ops/div.ts";
import { mul } from "../ops/mul.ts";
import { sqrt } from "../ops/sqrt.ts";
import { sub } from "../ops/sub.ts";
import type { Tensor } from "../tensor.ts";
import { sameShape, typeName } from "../tensor.ts";
import { expectLastAxis } from "./composition.ts";
import { mean } from "./mean.ts";

/** 1 / sqrt(mean square + epsilon) along the last axis. */
const rateOf = (x: Tensor, epsilon: number): Tensor =>
  div(1, sqrt(add(mean(mul(x, x), { axes: [x.shape.length - 1], keepDims: true }), epsilon)));

/**
 * x / sqrt(mean square + epsilon) * scale along the last axis. Zhang and Sennrich 2019.
 *
 *   x  float32 [..., n]    scale  float32 [n]
 */
export const rmsNorm: CompositeOp<[x: Tensor, scale: Tensor], { epsilon: number }> = defineComposite({
  name: "rmsNorm",
  infer([x, scale]) {
    expectLastAxis("rmsNorm", x);
    if (!sameShape(scale.shape, x.shape.slice(-1)))
      throw new ShapeError(`rmsNorm of [${x.shape}]: ${typeName(scale)} is not float32[${x.shape.at(-1)}]`);
    return { dtype: x.dtype, shape: x.shape };
  },
  decompose: ([x, scale], { epsilon }) => mul(mul(x, rateOf(x, epsilon)), scale),
  // dx = rate (g - normal mean(g normal)), g = ct scale
  vjp(ct, [x, scale], { epsilon }) {
    const rate = rateOf(x, epsilon);
    const normal = mul(x, rate);
    const g = mul(ct, scale);
    const along = mean(mul(g, normal), { axes: [x.shape.length - 1], keepDims: true });
    return [mul(rate, sub(g, mul(normal, along))), sumTo(mul(ct, normal), scale.shape)];
  },
  cases: [[f32(2, 3, 4), f32(4), { epsilon: 1e-6 }]],
  sample(draw) {
    const n = draw.integer(2, 6);
    return [f32(...draw.shape(0, 2), n), f32(n), { epsilon: 1e-5 }];
  },
});
