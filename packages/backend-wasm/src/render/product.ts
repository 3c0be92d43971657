import { type Load, type LoopKernel, type Reduction, variesAlong } from "@finegrain/codegen";
import { size } from "@finegrain/graph";
import type { Opening, Target } from "./kernel.ts";
import type { Work } from "./loop-renderer.ts";
import { ColumnProductRenderer } from "./product-columns.ts";
import { RowProductRenderer } from "./product-rows.ts";
import { TileProductRenderer } from "./product-tiles.ts";

/**
 * A sum of products of two operands, as loops: `x` has the loops `rows` to itself, `y` the loops `columns`, both have the others and
 * the summed one. `y` is the one with more.
 */
export interface Product {
  readonly x: Load;
  readonly y: Load;
  /** Parallel loops, by what they belong to. */
  readonly batch: readonly number[];
  readonly rows: readonly number[];
  readonly columns: readonly number[];
  /** The one loop that is summed. */
  readonly summed: number;
}

/** Up to so many rows share one reading of the other operand. */
const FEW_ROWS = 4;

/** A matrix product, where the kernel is one that has a better way than loops; else undefined. */
export function renderProduct(
  kernel: LoopKernel,
  reduction: Reduction,
  opening: Opening,
  target: Target,
): Work | undefined {
  const product = asProduct(kernel, reduction);
  if (product === undefined) return undefined;
  const { x, y, rows, columns, summed } = product;
  const extent = (loops: readonly number[]) => size(loops.map((loop) => kernel.extents[loop]!));
  const last = columns.at(-1);
  if (last === undefined) return undefined;
  const contiguous = (load: Load, loop: number) =>
    load.at.strides[loop] === 1 && load.at.dynamic.every(({ value }) => !variesAlong(value, loop));
  if (extent(rows) <= FEW_ROWS && rows.length <= 1) {
    if (contiguous(y, summed) && contiguous(x, summed))
      return new RowProductRenderer(kernel, reduction, opening, { product, target }).render();
    if (
      contiguous(y, last) &&
      kernel.at.strides[last] === 1 &&
      kernel.at.dynamic.length === 0 &&
      last === kernel.extents.length - 1
    )
      return new ColumnProductRenderer(kernel, reduction, opening, { product, target }).render();
    return undefined;
  }
  const large = extent(rows) * extent(columns) * reduction.extents[0]! >= 4096;
  const regular = [x, y].every(({ at }) => at.dynamic.length === 0) && kernel.at.dynamic.length === 0;
  if (!large || !regular || rows.length !== 1 || columns.length !== 1) return undefined;
  return new TileProductRenderer(kernel, reduction, opening, { product, target }).render();
}

function asProduct({ extents }: LoopKernel, { op, body, extents: summed }: Reduction): Product | undefined {
  if (op !== "sum" || summed.length !== 1 || body.kind !== "call" || body.op !== "mul") return undefined;
  const [a, b] = body.args;
  if (a?.kind !== "load" || b?.kind !== "load" || a === b || body.dtype !== "float32") return undefined;
  const loops = extents.map((_, loop) => loop);
  const only = (x: Load, other: Load) => loops.filter((loop) => variesAlong(x, loop) && !variesAlong(other, loop));
  const [ofA, ofB] = [only(a, b), only(b, a)];
  const batch = loops.filter((loop) => !ofA.includes(loop) && !ofB.includes(loop));
  const extent = (list: readonly number[]) => size(list.map((loop) => extents[loop]!));
  const swap = extent(ofA) > extent(ofB);
  return {
    x: swap ? b : a,
    y: swap ? a : b,
    rows: swap ? ofB : ofA,
    columns: swap ? ofA : ofB,
    batch,
    summed: extents.length,
  };
}
