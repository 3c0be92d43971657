import { type Shape, size } from "@finegrain/graph";
import type { Numbers } from "./buffer.ts";

/** Write `count` rows along `axis` into an array of `shape`, from `start` on. */
export function writeRows(
  into: Numbers,
  shape: Shape,
  rows: Numbers,
  axis: number,
  count: number,
  start: number,
): void {
  const inner = size(shape.slice(axis + 1));
  const stride = shape[axis]! * inner;
  const length = count * inner;
  for (let outer = 0; outer * length < rows.length; outer++)
    into.set(rows.subarray(outer * length, (outer + 1) * length), outer * stride + start * inner);
}
