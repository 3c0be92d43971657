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

/** x with mean 0 and variance 1 along the last axis, and the reciprocal of its deviation. */
function standardize(x: Tensor, epsilon: number): { normal: Tensor; rate: Tensor } {
  const last = { axes: [x.shape.length - 1], keepDims: true };
  const centred = sub(x, mean(x, last));
  const rate = div(1, sqrt(add(mean(mul(centred, centred), last), epsilon)));
  return { normal: mul(centred, rate), rate };
}

/**
 * (x - mean) / sqrt(variance + epsilon) * scale + bias along the last axis. Ba et al. 2016.
 *
 *   x  float32 [..., n]    scale, bias  float32 [n]
 */
export const layerNorm: CompositeOp<[x: Tensor, scale: Tensor, bias: Tensor], { epsilon: number }> = defineComposite({
  name: "layerNorm",
  infer([x, scale, bias]) {
    expectLastAxis("layerNorm", x);
    for (const part of [scale, bias])
      if (!sameShape(part.shape, x.shape.slice(-1)))
        throw new ShapeError(`layerNorm of [${x.shape}]: ${typeName(part)} is not float32[${x.shape.at(-1)}]`);
    return { dtype: x.dtype, shape: x.shape };
  },
  decompose: ([x, scale, bias], { epsilon }) => add(mul(standardize(x, epsilon).normal, scale), bias),
  // dx = rate (g - mean(g) - normal mean(g normal)), g = ct scale
  vjp(ct, [x, scale, bias], { epsilon }) {
    const last = { axes: [x.shape.length - 1], keepDims: true };
    const { normal, rate } = standardize(x, epsilon);
    const g = mul(ct, scale);
    const dx = mul(rate, sub(sub(g, mean(g, last)), mul(normal, mean(mul(g, normal), last))));
    return [dx, sumTo(mul(ct, normal), scale.shape), sumTo(ct, bias.shape)];
  },
  cases: [[f32(2, 3, 4), f32(4), f32(4), { epsilon: 1e-6 }]],
  sample(draw) {
    const n = draw.integer(3, 6); // of two elements, the gradient is 0 but for rounding
    return [f32(...draw.shape(0, 2), n), f32(n), f32(n), { epsilon: 1e-5 }];
  },
});
