import {
  asProduct,
  extentOf,
  type Factor,
  type LoopKernel,
  type Product,
  type Reduction,
  variesAlong,
} from "@finegrain/codegen";
import type { Opening, Target } from "../kernel.ts";
import type { Division } from "../loops/loop-renderer.ts";
import { MOST_TOGETHER } from "./plan-columns.ts";
import { ColumnProductRenderer } from "./product-columns.ts";
import { RowProductRenderer } from "./product-rows.ts";
import { TileProductRenderer } from "./product-tiles.ts";

/** Up to so many rows are multiplied with the other operand as it lies, some at a time: there are too few to be worth a copy. */
const SOME_ROWS = 16;
/** Products of fewer multiplications are not worth tiles. */
const WORTH_TILES = 4096;

/** The ways in which a product is written; see the renderers. */
const WAYS = { rows: RowProductRenderer, columns: ColumnProductRenderer, tiles: TileProductRenderer };

/** A kernel's product and the way to write it, where it is one that has a better way than loops. */
export function planProduct(kernel: LoopKernel): { product: Product; way: keyof typeof WAYS } | undefined {
  const product = asProduct(kernel);
  if (product === undefined || product.summed.length !== 1) return undefined;
  const { x, y, rows, columns, summed } = product;
  const last = columns.at(-1);
  if (last === undefined) return undefined;
  const height = extentOf(product, rows);
  const contiguous = ({ load }: Factor, loop: number) =>
    load.at.strides[loop] === 1 && load.at.dynamic.every(({ value }) => !variesAlong(value, loop));
  const alongSum = x.value === x.load && [x, y].every((factor) => contiguous(factor, summed[0]!));
  if (alongSum && (height <= SOME_ROWS || rows.length > 1)) return { product, way: "rows" };
  const isStatic = kernel.at.dynamic.length === 0;
  if (rows.length <= 1 && (height <= MOST_TOGETHER || (height <= SOME_ROWS && height % MOST_TOGETHER === 0))) {
    const stored = kernel.at.strides[last] === 1 && isStatic && last === kernel.extents.length - 1;
    if (contiguous(y, last) && stored) return { product, way: "columns" };
    if (height <= MOST_TOGETHER) return undefined;
  }
  const regular = [x, y].every(({ value, load }) => value === load && load.at.dynamic.length === 0) && isStatic;
  const large = height * extentOf(product, [...columns, ...summed]) >= WORTH_TILES;
  return large && regular && rows.length === 1 && columns.length === 1 ? { product, way: "tiles" } : undefined;
}

/** A matrix product, where the kernel is one that has a better way than loops; else undefined. */
export function renderProduct(
  kernel: LoopKernel,
  reduction: Reduction,
  opening: Opening,
  target: Target,
): Division | undefined {
  const plan = planProduct(kernel);
  return plan && new WAYS[plan.way](kernel, reduction, opening, { product: plan.product, target }).render();
}
