import { type Shape, size } from "@finegrain/graph";
import type { Numbers } from "./program.ts";

/**
 * Write `count` rows along `axis` into an array of `shape`, from `start` on.
 * @throws RangeError where they do not fit, before anything is written: past the end of an axis is another head's row.
 */
export function writeRows(
  into: Numbers,
  shape: Shape,
  rows: Numbers,
  axis: number,
  count: number,
  start: number,
): void {
  if (start < 0 || start + count > shape[axis]!)
    throw new RangeError(
      `rows ${start} to ${start + count} along axis ${axis} do not fit a cache of [${shape}]: it has room for ${shape[axis]}`,
    );
  const inner = size(shape.slice(axis + 1));
  const stride = shape[axis]! * inner;
  const length = count * inner;
  for (let outer = 0; outer * length < rows.length; outer++)
    into.set(rows.subarray(outer * length, (outer + 1) * length), outer * stride + start * inner);
}
