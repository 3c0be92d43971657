import { broadcastShape, broadcastStrides, stridedIndices } from "../broadcast.ts";
import { broadcastable, f32, i32 } from "../cases.ts";
import { ShapeError } from "../errors.ts";
import { type CompositeOp, defineComposite, definePrimitive, type Op } from "../op.ts";
import { keptShape, type ReduceAttrs, reduction } from "../reduction.ts";
import { type Shape, sameShape, type Tensor } from "../tensor.ts";
import { reshape } from "./reshape.ts";

/** x stretched to a larger shape: axes align at the end, extents of one repeat. */
export const broadcastTo: Op<[x: Tensor], Shape> = definePrimitive({
  name: "broadcastTo",
  infer([x], shape) {
    if (!sameShape(broadcastShape("broadcastTo", x.shape, shape), shape))
      throw new ShapeError(`broadcastTo: [${x.shape}] does not stretch to [${shape}]`);
    return { dtype: x.dtype, shape };
  },
  evaluate: ([x], _, out) =>
    Float64Array.from(stridedIndices(out.shape, broadcastStrides(x.shape, out.shape)), (at) => x.data[at]!),
  vjp: (ct, [x]) => [sumTo(ct, x.shape)],
  cases: [
    [f32(3), [2, 3]],
    [f32(2, 1), [3, 2, 4]],
    [f32(), [2]],
    [i32([1], 9), [3]],
  ],
  sample(draw) {
    const [x, y] = broadcastable(draw);
    return [f32(...(x.length < y.length ? x : y)), broadcastShape("broadcastTo", x, y)];
  },
});

/** Sum over `axes`; over an empty axis 0. */
export const reduceSum: Op<[x: Tensor], ReduceAttrs> = reduction(
  "reduceSum",
  0,
  (sofar, x) => sofar + x,
  (ct, [x], { axes }) => [broadcastTo(reshape(ct, keptShape(x, axes)), x.shape)],
  0,
);

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
