import { f32 } from "../cases.ts";
import { type CompositeOp, defineComposite } from "../op.ts";
import { reduceSum } from "../ops/broadcast-sum.ts";
import { mul } from "../ops/mul.ts";
import { type ReduceAttrs, reducedShape } from "../reduction.ts";
import type { Tensor } from "../tensor.ts";
import { size } from "../tensor.ts";

/** Average over `axes`, none of which may be empty. */
export const mean: CompositeOp<[x: Tensor], ReduceAttrs> = defineComposite({
  name: "mean",
  infer: ([x], attrs) => ({ dtype: x.dtype, shape: reducedShape("mean", x, attrs) }),
  decompose: ([x], attrs) => mul(reduceSum(x, attrs), 1 / size(attrs.axes.map((axis) => x.shape[axis]!))),
  cases: [
    [f32(2, 3, 4), { axes: [1] }],
    [f32(2, 3), { axes: [0, 1], keepDims: true }],
  ],
  sample(draw) {
    const shape = draw.shape(1);
    return [f32(...shape), { axes: shape.flatMap((n, axis) => (n > 0 && draw.integer(0, 1) === 0 ? [axis] : [])) }];
  },
});
