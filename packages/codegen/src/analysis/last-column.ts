import { type Expression, variesAlong } from "../ir/expression.ts";
import type { LoopKernel } from "../ir/kernel.ts";

/**
 * The last column of a product whose sum is stored: a mask hides those behind it, as attention's hides what is not in its cache yet. An int32 below the
 * columns' extent or beyond it, the same for all rows; undefined where that is not so, or not known. A device need not sum the others.
 */
export function lastColumn({ result, extents }: LoopKernel, columns: readonly number[]): Expression | undefined {
  if (columns.length !== 1 || result.kind !== "call" || result.op !== "select") return undefined;
  const [seen, sum, hidden] = result.args;
  if (sum?.kind !== "reduced" || hidden?.kind !== "literal" || seen?.kind !== "call" || seen.op !== "lessEqual")
    return undefined;
  const [place, last] = seen.args as [Expression, Expression];
  const counts =
    place.kind === "place" &&
    place.at.offset === 0 &&
    place.at.dynamic.length === 0 &&
    place.at.strides.every((stride, loop) => stride === (loop === columns[0] ? 1 : 0));
  return counts && extents.every((_, loop) => !variesAlong(last, loop)) ? last : undefined;
}
