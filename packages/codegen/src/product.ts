import { size } from "@finegrain/graph";
import { type Load, variesAlong } from "./expression.ts";
import type { LoopKernel } from "./kernel.ts";

/**
 * A sum of products of two operands, as loops: `x` has the loops `rows` to itself, `y` the loops `columns`, both have the others and
 * those that are summed. `y` is the one with more.
 */
export interface Product {
  readonly x: Load;
  readonly y: Load;
  /** Parallel loops, by what they belong to. */
  readonly batch: readonly number[];
  readonly rows: readonly number[];
  readonly columns: readonly number[];
  /** Reduced loops. */
  readonly summed: readonly number[];
}

/** The kernel as a product, if it is one. */
export function asProduct({ extents, reduction }: LoopKernel): Product | undefined {
  if (reduction?.op !== "sum" || reduction.body.kind !== "call" || reduction.body.op !== "mul") return undefined;
  const { body } = reduction;
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
    summed: reduction.extents.map((_, k) => extents.length + k),
  };
}

/** Products of fewer multiplications are not worth a copy of an operand. */
const WORTH_COPYING = 2 ** 14;
/** Up to so many times an operand is read where its elements have to be picked, or lie apart. */
const FEW_READS = 4;

/**
 * The operand that a product would read in a better order from a copy of its own: its elements are picked one by one and read again
 * and again, or lie so that loops stay apart that could be one. 0 is the first in the kernel's body.
 */
export function operandToCopy(kernel: LoopKernel): 0 | 1 | undefined {
  const product = asProduct(kernel);
  const { reduction } = kernel;
  if (!product || !reduction || reduction.body.kind !== "call") return undefined;
  const all = [...kernel.extents, ...reduction.extents];
  if (size(all) < WORTH_COPYING) return undefined;
  const { x, y, rows, columns, summed } = product;
  const extent = (loops: readonly number[]) => size(loops.map((loop) => all[loop]!));
  const apart = ({ at }: Load, loops: readonly number[]) =>
    loops.some((loop, k) => k > 0 && at.strides[loops[k - 1]!] !== at.strides[loop]! * all[loop]!);
  const irregular = (load: Load, own: readonly number[], reads: number) =>
    reads > FEW_READS && (load.at.dynamic.length > 0 || apart(load, own) || apart(load, summed));
  const found = irregular(x, rows, extent(columns)) ? x : irregular(y, columns, extent(rows)) ? y : undefined;
  return found && (reduction.body.args[0] === found ? 0 : 1);
}
