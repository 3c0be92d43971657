import { type Expression, type LoopKernel, type Product, wantedColumns } from "@finegrain/codegen";
import type { Bindings } from "../bindings.ts";
import type { Block } from "../block.ts";
import { ExpressionWriter } from "../expression.ts";

/**
 * Text of where the steps of a product's sums end: where nothing more is added, or at once where a mask hides what comes out for all columns
 * from `base` on, as attention's does with what is not in its cache yet.
 *
 * @param end text of where they end otherwise.
 * @param reach summed elements of a step.
 */
export function sumEnd(
  kernel: LoopKernel,
  product: Product,
  { block, bindings, end, reach }: { block: Block; bindings: Bindings; end: string; reach: number },
): string {
  const value = (e: Expression) => new ExpressionWriter(bindings, [{ block, loops: new Map() }]).value(e);
  const until = kernel.reduction?.until;
  let text = end;
  if (until && bindings.onlyReads(until)) {
    const elements = `u32(${value(until)})`;
    text = block.let(reach === 1 ? elements : `(${elements} + ${reach - 1}u) / ${reach}u`);
  }
  const wanted = wantedColumns(kernel, product);
  if (wanted && bindings.onlyReads(wanted)) text = block.let(`select(0u, ${text}, i32(base) < ${value(wanted)})`);
  return text;
}
