import { stridedIndices, strides } from "../broadcast.ts";
import { f32, i32 } from "../cases.ts";
import { expectDtype } from "../elementwise.ts";
import { ShapeError } from "../errors.ts";
import { definePrimitive, type Op, scalar } from "../op.ts";
import type { Tensor } from "../tensor.ts";
import { byteSize, typeName } from "../tensor.ts";
import { broadcastTo } from "./broadcast-to.ts";
import { updateSlice } from "./update-slice.ts";

/**
 * `length` entries of x along `axis` from a start that the run decides.
 *
 *   x      any    [..., n, ...]
 *   start  int32  []              0 <= start <= n - length; anything else is undefined behaviour
 */
export const dynamicSlice: Op<[x: Tensor, start: Tensor], { axis: number; length: number }> = definePrimitive({
  name: "dynamicSlice",
  infer([x, start], { axis, length }) {
    expectDtype("dynamicSlice", start, "int32");
    if (start.shape.length > 0 || !(axis in x.shape) || length > x.shape[axis]!)
      throw new ShapeError(
        `dynamicSlice: ${length} entries along axis ${axis} of [${x.shape}] from ${typeName(start)}`,
      );
    return { dtype: x.dtype, shape: x.shape.map((n, i) => (i === axis ? length : n)) };
  },
  evaluate([x, start], { axis }, out) {
    const step = strides(x.shape);
    return Float64Array.from(stridedIndices(out.shape, step, start.data[0]! * step[axis]!), (at) => x.data[at]!);
  },
  vjp: (ct, [x, start], { axis }) => [updateSlice(broadcastTo(scalar(0), x.shape), ct, start, { axis }), null],
  cost: (_, __, out) => ({ flops: 0, bytes: 2 * byteSize(out) }),
  cases: [
    [f32(5, 2), i32([], 3), { axis: 0, length: 3 }],
    [f32(2, 6, 2), i32([], 4), { axis: 1, length: 3 }],
  ],
  sample(draw) {
    const shape = draw.shape(1, 3);
    const axis = draw.integer(0, shape.length - 1);
    const length = draw.integer(0, shape[axis]!);
    return [f32(...shape), i32([], shape[axis]! - length + 1), { axis, length }];
  },
});
