import { type Expression, type LoopKernel, type Product, variesAlong } from "@finegrain/codegen";
import type { Bindings } from "./bindings.ts";
import type { Block } from "./block.ts";
import { ExpressionWriter } from "./expression.ts";

/**
 * Text of where the steps of a product's sums end: where nothing more is added, or at once where a mask hides what comes out for all columns
 * from `base` on, as attention's does with what is not in its cache yet.
 *
 * @param end text of where they end otherwise.
 * @param reach summed elements of a step.
 */
export function sumEnd(
  kernel: LoopKernel,
  { columns }: Product,
  { block, bindings, end, reach }: { block: Block; bindings: Bindings; end: string; reach: number },
): string {
  const value = (e: Expression) => new ExpressionWriter(bindings, [{ block, loops: new Map() }]).value(e);
  const until = kernel.reduction?.until;
  let text = end;
  if (until && bindings.onlyReads(until)) {
    const steps = reach === 1 ? `u32(${value(until)})` : `(u32(${value(until)}) + ${reach - 1}u) / ${reach}u`;
    text = block.let(`min(${text}, ${steps})`);
  }
  const last = lastColumn(kernel, columns);
  if (last && bindings.onlyReads(last)) text = block.let(`select(0u, ${text}, i32(base) <= ${value(last)})`);
  return text;
}

/** The last column whose sum is stored: the others become something else; undefined where that is not so, or not known. */
function lastColumn({ result, extents }: LoopKernel, columns: readonly number[]): Expression | undefined {
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
