import { stridedIndices, strides } from "../broadcast.ts";
import { f32, i32 } from "../cases.ts";
import { ShapeError } from "../errors.ts";
import { definePrimitive, type Op } from "../op.ts";
import type { Shape, Tensor } from "../tensor.ts";
import { size } from "../tensor.ts";
import { slice } from "./slice.ts";

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
