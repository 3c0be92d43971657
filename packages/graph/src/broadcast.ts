import { ShapeError } from "./errors.ts";
import type { Shape } from "./tensor.ts";
import { size } from "./tensor.ts";

/** The shape of an element-wise result: axes align at the end, extents of one stretch. */
export function broadcastShape(op: string, a: Shape, b: Shape): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const x = a[a.length - rank + axis] ?? 1;
    const y = b[b.length - rank + axis] ?? 1;
    if (x !== y && x !== 1 && y !== 1) throw new ShapeError(`${op}: cannot broadcast [${a}] with [${b}]`);
    return x === 1 ? y : x;
  });
}

/** Row-major strides, in elements. */
export function strides(shape: Shape): number[] {
  const result = new Array<number>(shape.length).fill(1);
  for (let axis = shape.length - 2; axis >= 0; axis--) result[axis] = result[axis + 1]! * shape[axis + 1]!;
  return result;
}

/** Strides that read a value of shape `from` as if it had the shape `to`: 0 where an axis is stretched. */
export function broadcastStrides(from: Shape, to: Shape): number[] {
  const own = strides(from);
  const missing = to.length - from.length;
  return to.map((_, axis) => (axis < missing || from[axis - missing] === 1 ? 0 : own[axis - missing]!));
}

/** Flat source index of every element of `shape`, in row-major order, for a source of these strides and offset. */
export function stridedIndices(shape: Shape, step: readonly number[], offset = 0): Int32Array {
  const indices = new Int32Array(size(shape));
  const position = new Array<number>(shape.length).fill(0);
  for (let k = 0, at = offset; k < indices.length; k++) {
    indices[k] = at;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += step[axis]!;
      if (++position[axis]! < shape[axis]!) break;
      at -= step[axis]! * shape[axis]!;
      position[axis] = 0;
    }
  }
  return indices;
}
