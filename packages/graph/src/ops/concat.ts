import { stridedIndices, strides } from "../broadcast.ts";
import { f32, i32 } from "../cases.ts";
import { ShapeError } from "../errors.ts";
import { definePrimitive, type Op } from "../op.ts";
import type { Tensor } from "../tensor.ts";
import { size, typeName } from "../tensor.ts";
import { slice } from "./slice-pad.ts";

/** Tensors one after another along an axis; the other extents are the same in all. */
export const concat: Op<readonly Tensor[], { axis: number }> = definePrimitive({
  name: "concat",
  infer(parts, { axis }) {
    const first = parts[0];
    if (first === undefined || axis < 0 || axis >= first.shape.length)
      throw new ShapeError(`concat: no axis ${axis} to join along`);
    for (const part of parts)
      if (
        part.dtype !== first.dtype ||
        part.shape.length !== first.shape.length ||
        part.shape.some((n, i) => i !== axis && n !== first.shape[i])
      )
        throw new ShapeError(`concat along axis ${axis}: ${typeName(part)} does not fit ${typeName(first)}`);
    const total = parts.reduce((n, part) => n + part.shape[axis]!, 0);
    return { dtype: first.dtype, shape: first.shape.map((extent, i) => (i === axis ? total : extent)) };
  },
  evaluate(parts, { axis }, out) {
    const step = strides(out.shape);
    const result = new Float64Array(size(out.shape));
    let start = 0;
    for (const part of parts) {
      stridedIndices(part.shape, step, start * step[axis]!).forEach((at, k) => {
        result[at] = part.data[k]!;
      });
      start += part.shape[axis]!;
    }
    return result;
  },
  vjp(ct, parts, { axis }) {
    let end = 0;
    return parts.map((part) => {
      const start = end;
      end += part.shape[axis]!;
      return slice(ct, {
        starts: ct.shape.map((_, i) => (i === axis ? start : 0)),
        ends: ct.shape.map((n, i) => (i === axis ? end : n)),
      });
    });
  },
  cases: [
    [f32(2, 3), f32(2, 1), { axis: 1 }],
    [f32(1, 2), f32(3, 2), f32(0, 2), { axis: 0 }],
    [i32([2], 9), i32([3], 9), { axis: 0 }],
  ],
  sample(draw) {
    const shape = draw.shape(1, 3);
    const axis = draw.integer(0, shape.length - 1);
    const part = () => f32(...shape.map((extent, i) => (i === axis ? draw.extent() : extent)));
    return [part(), part(), { axis }];
  },
});
