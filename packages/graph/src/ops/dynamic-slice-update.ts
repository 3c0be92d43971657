import { stridedIndices, strides } from "../broadcast.ts";
import { f32, i32 } from "../cases.ts";
import { ShapeError } from "../errors.ts";
import { definePrimitive, expectDtype, type Op, scalar } from "../op.ts";
import { byteSize, type Tensor, typeName } from "../tensor.ts";
import { broadcastTo } from "./broadcast-sum.ts";

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
