import { broadcastShape, broadcastStrides, stridedIndices } from "../broadcast.ts";
import { broadcastable, f32, i32 } from "../cases.ts";
import { sumTo } from "../composites/sum-to.ts";
import { ShapeError } from "../errors.ts";
import { definePrimitive, type Op } from "../op.ts";
import type { Shape, Tensor } from "../tensor.ts";
import { sameShape } from "../tensor.ts";

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
