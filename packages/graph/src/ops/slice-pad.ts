import { stridedIndices, strides } from "../broadcast.ts";
import { f32, i32 } from "../cases.ts";
import { ShapeError } from "../errors.ts";
import { definePrimitive, type Op } from "../op.ts";
import { type Shape, size, type Tensor } from "../tensor.ts";

/** Elements starts[axis] up to, not including, ends[axis] of every axis. */
export const slice: Op<[x: Tensor], { starts: Shape; ends: Shape }> = definePrimitive({
  name: "slice",
  infer([x], { starts, ends }) {
    const fits = x.shape.every(
      (extent, axis) => 0 <= starts[axis]! && starts[axis]! <= ends[axis]! && ends[axis]! <= extent,
    );
    if (!fits || starts.length !== x.shape.length || ends.length !== x.shape.length)
      throw new ShapeError(`slice: [${starts}] to [${ends}] is not a part of [${x.shape}]`);
    return { dtype: x.dtype, shape: ends.map((end, axis) => end - starts[axis]!) };
  },
  evaluate([x], { starts }, out) {
    const step = strides(x.shape);
    const offset = starts.reduce((at, start, axis) => at + start * step[axis]!, 0);
    return Float64Array.from(stridedIndices(out.shape, step, offset), (at) => x.data[at]!);
  },
  vjp: (ct, [x], { starts, ends }) => [pad(ct, { low: starts, high: ends.map((end, axis) => x.shape[axis]! - end) })],
  cost: (_, __, out) => ({ flops: 0, bytes: 8 * size(out.shape) }),
  cases: [
    [f32(4, 5), { starts: [1, 0], ends: [3, 5] }],
    [f32(3), { starts: [1], ends: [1] }],
    [i32([4], 9), { starts: [2], ends: [4] }],
  ],
  sample(draw) {
    const shape = draw.shape();
    const starts = shape.map((extent) => draw.integer(0, extent));
    return [f32(...shape), { starts, ends: shape.map((extent, axis) => draw.integer(starts[axis]!, extent)) }];
  },
});

/** Zeros around x: low[axis] before and high[axis] after it along every axis. */
export const pad: Op<[x: Tensor], { low: Shape; high: Shape }> = definePrimitive({
  name: "pad",
  infer([x], { low, high }) {
    if (low.length !== x.shape.length || high.length !== x.shape.length || [...low, ...high].some((n) => n < 0))
      throw new ShapeError(`pad: [${low}] before and [${high}] after do not fit [${x.shape}]`);
    return { dtype: x.dtype, shape: x.shape.map((extent, axis) => low[axis]! + extent + high[axis]!) };
  },
  evaluate([x], { low }, out) {
    const step = strides(out.shape);
    const result = new Float64Array(size(out.shape));
    const offset = low.reduce((at, n, axis) => at + n * step[axis]!, 0);
    stridedIndices(x.shape, step, offset).forEach((at, k) => {
      result[at] = x.data[k]!;
    });
    return result;
  },
  vjp: (ct, [x], { low }) => [slice(ct, { starts: low, ends: x.shape.map((extent, axis) => low[axis]! + extent) })],
  cases: [
    [f32(2, 3), { low: [1, 0], high: [0, 2] }],
    [f32(2), { low: [0], high: [0] }],
    [i32([2], 9), { low: [1], high: [1] }],
  ],
  sample(draw) {
    const shape = draw.shape();
    return [f32(...shape), { low: shape.map(() => draw.integer(0, 2)), high: shape.map(() => draw.integer(0, 2)) }];
  },
});
