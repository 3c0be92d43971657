import { broadcastShape } from "../broadcast.ts";
import { broadcastable, f32 } from "../cases.ts";
import { ShapeError } from "../errors.ts";
import { type CompositeOp, defineComposite } from "../op.ts";
import { broadcastTo } from "../ops/broadcast-to.ts";
import { reduceSum } from "../ops/reduce-sum.ts";
import { reshape } from "../ops/reshape.ts";
import type { Shape, Tensor } from "../tensor.ts";
import { sameShape } from "../tensor.ts";

/** Sum over every axis that broadcasting `shape` to x's would stretch: the transpose of {@link broadcastTo}. */
export const sumTo: CompositeOp<[x: Tensor], Shape> = defineComposite({
  name: "sumTo",
  infer([x], shape) {
    if (!sameShape(broadcastShape("sumTo", shape, x.shape), x.shape))
      throw new ShapeError(`sumTo: [${shape}] does not stretch to [${x.shape}]`);
    return { dtype: x.dtype, shape };
  },
  decompose([x], shape) {
    const missing = x.shape.length - shape.length;
    const axes = x.shape.flatMap((extent, axis) => (axis < missing || extent !== shape[axis - missing] ? [axis] : []));
    return reshape(reduceSum(x, { axes }), shape);
  },
  vjp: (ct, [x]) => [broadcastTo(ct, x.shape)],
  cases: [
    [f32(2, 3), [3]],
    [f32(2, 3), [2, 1]],
    [f32(2, 3), []],
  ],
  sample(draw) {
    const [x, y] = broadcastable(draw);
    return [f32(...broadcastShape("sumTo", x, y)), x.length < y.length ? x : y];
  },
});
