import { asProduct, type Factor, type LoopKernel, type Reduction, variesAlong } from "@finegrain/codegen";
import { size } from "@finegrain/graph";
import type { Opening, Target } from "../kernel.ts";
import type { Division } from "../loops/loop-renderer.ts";
import { ColumnProductRenderer } from "./product-columns.ts";
import { RowProductRenderer } from "./product-rows.ts";
import { TileProductRenderer } from "./product-tiles.ts";

/** Up to so many rows are added up in passes over the other operand's rows, since each is in a register of its own. */
const FEW_ROWS = 4;
/** Up to so many are multiplied with it as it lies, some at a time: there are too few to be worth a copy. */
const SOME_ROWS = 16;

/** A matrix product, where the kernel is one that has a better way than loops; else undefined. */
export function renderProduct(
  kernel: LoopKernel,
  reduction: Reduction,
  opening: Opening,
  target: Target,
): Division | undefined {
  const product = asProduct(kernel);
  if (product === undefined || product.summed.length !== 1) return undefined;
  const { x, y, rows, columns } = product;
  const [summed] = product.summed as [number];
  const extent = (loops: readonly number[]) => size(loops.map((loop) => kernel.extents[loop]!));
  const last = columns.at(-1);
  if (last === undefined) return undefined;
  const contiguous = ({ load }: Factor, loop: number) =>
    load.at.strides[loop] === 1 && load.at.dynamic.every(({ value }) => !variesAlong(value, loop));
  const options = { product, target };
  if (
    rows.length <= 1 &&
    extent(rows) <= SOME_ROWS &&
    x.value === x.load &&
    contiguous(y, summed) &&
    contiguous(x, summed)
  )
    return new RowProductRenderer(kernel, reduction, opening, options).render();
  if (rows.length <= 1 && extent(rows) <= FEW_ROWS) {
    const stored =
      kernel.at.strides[last] === 1 && kernel.at.dynamic.length === 0 && last === kernel.extents.length - 1;
    return contiguous(y, last) && stored
      ? new ColumnProductRenderer(kernel, reduction, opening, options).render()
      : undefined;
  }
  const large = extent(rows) * extent(columns) * reduction.extents[0]! >= 4096;
  const regular =
    [x, y].every(({ value, load }) => value === load && load.at.dynamic.length === 0) && kernel.at.dynamic.length === 0;
  if (!large || !regular || rows.length !== 1 || columns.length !== 1) return undefined;
  return new TileProductRenderer(kernel, reduction, opening, options).render();
}
