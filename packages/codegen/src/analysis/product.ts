import { size } from "@finegrain/graph";
import type { ProgramBuffer } from "../ir/buffer.ts";
import { type Expression, type Load, variesAlong } from "../ir/expression.ts";
import type { LoopKernel } from "../ir/kernel.ts";

/**
 * A sum of products of two operands, as loops: `x` has the loops `rows` to itself, `y` the loops `columns`, both have the others and
 * those that are summed. `y` is the one with more, or
 * the one along which the result is contiguous.
 */
export interface Product {
  readonly x: Factor;
  readonly y: Factor;
  /** Of all loops, the summed ones last. */
  readonly extents: readonly number[];
  /** Parallel loops, by what they belong to. */
  readonly batch: readonly number[];
  readonly rows: readonly number[];
  readonly columns: readonly number[];
  /** Reduced loops. */
  readonly summed: readonly number[];
}

/** An operand of a product. */
export interface Factor {
  /** A load, the cast of one of fewer bits, or one that is scaled. */
  readonly value: Expression;
  /** What is read. */
  readonly load: Load;
}

/** The kernel as a product, if it is one. */
export function asProduct({ extents, reduction, at }: LoopKernel): Product | undefined {
  if (reduction?.op !== "sum" || reduction.body.kind !== "call" || reduction.body.op !== "mul") return undefined;
  const [a, b] = reduction.body.args.map(asFactor);
  if (!a || !b || a.load === b.load || reduction.body.dtype !== "float32") return undefined;
  const loops = extents.map((_, loop) => loop);
  const only = (x: Factor, other: Factor) =>
    loops.filter((loop) => variesAlong(x.value, loop) && !variesAlong(other.value, loop));
  const [ofA, ofB] = [only(a, b), only(b, a)];
  const batch = loops.filter((loop) => !ofA.includes(loop) && !ofB.includes(loop));
  const extent = (list: readonly number[]) => size(list.map((loop) => extents[loop]!));
  // Of two that are large, the columns are those that lie side by side in the result.
  const beside = (loops: readonly number[]) => loops.length > 0 && at.strides[loops.at(-1)!] === 1;
  const large = Math.min(extent(ofA), extent(ofB)) > FEW_ROWS;
  const swap = large && beside(ofA) !== beside(ofB) ? beside(ofA) : extent(ofA) > extent(ofB);
  return {
    x: swap ? b : a,
    y: swap ? a : b,
    rows: swap ? ofB : ofA,
    columns: swap ? ofA : ofB,
    batch,
    summed: reduction.extents.map((_, k) => extents.length + k),
    extents: [...extents, ...reduction.extents],
  };
}

/** Iterations of these loops together. */
export const extentOf = ({ extents }: Product, loops: readonly number[]): number =>
  size(loops.map((loop) => extents[loop]!));

function asFactor(value: Expression): Factor | undefined {
  if (value.kind === "load") return { value, load: value };
  if (value.kind !== "call") return undefined;
  const [load, scale] = value.args;
  if (load?.kind !== "load") return undefined;
  return value.op === "cast" || (value.op === "mul" && scale?.kind === "load") ? { value, load } : undefined;
}

/**
 * How many of a product's columns, from the first, are wanted, where a mask hides the others, as attention's hides what is not in its cache yet: an
 * int32 that may be below 0 or beyond the columns' extent, the same for all rows. Undefined where that is not so, or not known.
 */
export function wantedColumns({ reduction, extents }: LoopKernel, { columns }: Product): Expression | undefined {
  const [column, ...others] = columns;
  if (!reduction?.wanted || others.length > 0) return undefined;
  const { at, below } = reduction.wanted;
  const counts =
    at.offset === 0 &&
    at.dynamic.length === 0 &&
    at.strides.every((stride, loop) => stride === (loop === column ? 1 : 0));
  return counts && extents.every((_, loop) => !variesAlong(below, loop)) ? below : undefined;
}

/** Fewer rows than this are not worth a choice of their own. */
const FEW_ROWS = 16;
/** Products of fewer multiplications are not worth a copy of an operand. */
const WORTH_COPYING = 2 ** 14;
/** Up to so many times an operand is read where its elements have to be picked, or lie apart. */
const FEW_READS = 4;

/** Whether a kernel is a product that is worth a copy of what it reads. */
export function isLargeProduct(kernel: LoopKernel): boolean {
  const product = asProduct(kernel);
  return product !== undefined && size(product.extents) >= WORTH_COPYING;
}

/**
 * The operands that a product would read in a better order from copies of their own: their elements are picked one by one, made of fewer bits or scaled,
 * and read again and again, or lie so that loops stay apart that could be one. Found by their buffers.
 */
export function buffersToCopy(kernel: LoopKernel): ProgramBuffer[] {
  const product = asProduct(kernel);
  if (!product) return [];
  const { x, y, rows, columns, summed, extents: all } = product;
  if (size(all) < WORTH_COPYING) return [];
  const extent = (loops: readonly number[]) => extentOf(product, loops);
  const apart = ({ load: { at } }: Factor, loops: readonly number[]) =>
    loops.some((loop, k) => k > 0 && at.strides[loops[k - 1]!] !== at.strides[loop]! * all[loop]!);
  const irregular = (factor: Factor, own: readonly number[], reads: number) =>
    reads > FEW_READS &&
    (factor.value !== factor.load || factor.load.at.dynamic.length > 0 || apart(factor, own) || apart(factor, summed));
  return [
    ...(irregular(x, rows, extent(columns)) ? [x.load.from] : []),
    ...(irregular(y, columns, extent(rows)) ? [y.load.from] : []),
  ];
}
