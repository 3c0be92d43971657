import { stridedIndices, strides } from "../broadcast.ts";
import { f32, i32 } from "../cases.ts";
import { expectDtype } from "../elementwise.ts";
import { ShapeError } from "../errors.ts";
import { definePrimitive, type Op, scalar } from "../op.ts";
import type { Tensor } from "../tensor.ts";
import { byteSize, typeName } from "../tensor.ts";
import { broadcastTo } from "./broadcast-to.ts";
import { dynamicSlice } from "./dynamic-slice.ts";

/**
 * x with some entries along `axis` replaced by `update`, from a start that the run decides: how a step appends to a
 * cache. Where x is a donated input, a backend writes only the update.
 *
 *   x       any    [..., n, ...]
 *   update  as x   [..., m, ...]   the other extents as x's
 *   start   int32  []              0 <= start <= n - m; anything else is undefined behaviour
 */
export const updateSlice: Op<[x: Tensor, update: Tensor, start: Tensor], { axis: number }> = definePrimitive({
  name: "updateSlice",
  infer([x, update, start], { axis }) {
    expectDtype("updateSlice", start, "int32");
    const fits =
      update.shape.length === x.shape.length &&
      x.shape.every((n, i) => (i === axis ? update.shape[i]! <= n : update.shape[i] === n));
    if (start.shape.length > 0 || !(axis in x.shape) || !fits || update.dtype !== x.dtype)
      throw new ShapeError(
        `updateSlice: ${typeName(update)} does not fit into ${typeName(x)} along axis ${axis} from ${typeName(start)}`,
      );
    return { dtype: x.dtype, shape: x.shape };
  },
  evaluate([x, update, start], { axis }) {
    const result = Float64Array.from(x.data);
    const step = strides(x.shape);
    stridedIndices(update.shape, step, start.data[0]! * step[axis]!).forEach((at, k) => {
      result[at] = update.data[k]!;
    });
    return result;
  },
  vjp: (ct, [, update, start], { axis }) => [
    updateSlice(ct, broadcastTo(scalar(0), update.shape), start, { axis }),
    dynamicSlice(ct, start, { axis, length: update.shape[axis]! }),
    null,
  ],
  cost: ([, update]) => ({ flops: 0, bytes: 2 * byteSize(update) }),
  cases: [
    [f32(5, 2), f32(2, 2), i32([], 4), { axis: 0 }],
    [f32(2, 6, 2), f32(2, 1, 2), i32([], 6), { axis: 1 }],
    [f32(2, 2, 6, 3), f32(2, 2, 4, 3), i32([], 3), { axis: 2 }],
  ],
  sample(draw) {
    const shape = draw.shape(1, 3);
    const axis = draw.integer(0, shape.length - 1);
    const length = draw.integer(0, shape[axis]!);
    const update = shape.map((n, i) => (i === axis ? length : n));
    return [f32(...shape), f32(...update), i32([], shape[axis]! - length + 1), { axis }];
  },
});
