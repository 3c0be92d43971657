import { type Cost, INT4_GROUP, size } from "@finegrain/graph";
import { expressionsOf, type Load, variesAlong } from "../ir/expression.ts";
import {
  bytesOf,
  elementBytes,
  type Int4InputsProductKernel,
  type Int4ProductKernel,
  type Kernel,
  type LoopKernel,
  readsOf,
} from "../ir/kernel.ts";
import { asProduct, extentOf } from "./product.ts";

/** What a kernel asks of the threads or workgroups that do it, where it is scheduled. */
export interface Work {
  /** Parallel iterations, where they can be cut into rows. */
  readonly iterations: number | undefined;
  /** Multiplications and the like, one for each element that is read or made. */
  readonly steps: number;
  /** Values that are read or computed, roughly: what a thread without a workgroup's lanes goes through. */
  readonly operations: number;
  /** Of a sum whose lanes would read what lies apart if they shared it: how long it is; else 0. */
  readonly scattered: number;
  /** A product of matrices, or of a matrix and a vector, which reads every weight once. */
  readonly product: "matrices" | "vector" | undefined;
  /** Rows of a product that read the same weights; 1 where no two do. */
  readonly reuse: number;
}

export function workOf(kernel: Kernel): Work {
  const common = { steps: stepsOf(kernel), operations: operationsOf(kernel) };
  if (kernel.kind !== "loop") return { ...common, iterations: undefined, scattered: 0, product: undefined, reuse: 1 };
  const product = asProduct(kernel);
  return {
    ...common,
    iterations: size(kernel.extents),
    scattered: readsAlongSum(kernel) ? 0 : size(kernel.reduction?.extents ?? []),
    product: product && (product.batch.length === 0 && product.rows.length === 0 ? "vector" : "matrices"),
    reuse: product && product.columns.length > 0 ? extentOf(product, product.rows) : 1,
  };
}

function stepsOf(kernel: Kernel): number {
  switch (kernel.kind) {
    case "loop":
      return size(kernel.extents) * size(kernel.reduction?.extents ?? []);
    case "scatterAdd":
      return kernel.count * kernel.width + kernel.to.size;
    case "topK":
      return kernel.rows * kernel.length * kernel.k;
    case "randomBits":
      return kernel.to.size * PHILOX_STEPS;
    case "fromInt4":
      return kernel.to.size;
    case "int4Product":
    case "int4InputsProduct":
      return kernel.count * weightsOf(kernel);
  }
}
/** Rounds of Philox, of two multiplications each, for one of four numbers. */
const PHILOX_STEPS = 5;

function operationsOf(kernel: Kernel): number {
  switch (kernel.kind) {
    case "loop": {
      const { extents, reduction, result } = kernel;
      const reduced = reduction ? size(reduction.extents) * expressionsOf(reduction.body).length : 0;
      return size(extents) * (expressionsOf(result).length + reduced);
    }
    case "scatterAdd":
      return (kernel.count + kernel.rows) * kernel.width;
    case "topK":
      return kernel.rows * (kernel.length + 8 * kernel.k * Math.ceil(Math.log2(kernel.k + 1)));
    case "randomBits":
      return kernel.to.size * PHILOX_OPERATIONS;
    case "fromInt4":
      return kernel.to.size;
    case "int4Product":
    case "int4InputsProduct":
      return kernel.count * weightsOf(kernel);
  }
}
/** Of Philox, for one of four numbers. */
const PHILOX_OPERATIONS = 60;

/** Whether lanes that share a sum read neighbours, or the same. */
function readsAlongSum({ extents, reduction }: LoopKernel): boolean {
  if (!reduction || reduction.extents.length === 0) return true;
  const innermost = extents.length + reduction.extents.length - 1;
  return expressionsOf(reduction.body).every((e) => e.kind !== "load" || e.at.strides[innermost]! <= 1);
}

/** Arithmetic of one run, and the bytes that it cannot but read and write: what comes again is counted once. */
export function kernelCost(kernel: Kernel): Cost {
  switch (kernel.kind) {
    case "loop":
      return loopCost(kernel);
    case "scatterAdd":
      return { flops: kernel.count * kernel.width, bytes: 2 * bytesOf(kernel.updates) + bytesOf(kernel.to) };
    case "topK":
      return { flops: kernel.rows * kernel.length, bytes: bytesOf(kernel.from) + bytesOf(kernel.to) };
    case "randomBits":
      return { flops: 0, bytes: bytesOf(kernel.to) };
    case "fromInt4":
      return { flops: 2 * kernel.to.size, bytes: allBytes(kernel) };
    case "int4Product":
    case "int4InputsProduct":
      return { flops: 2 * kernel.count * weightsOf(kernel), bytes: allBytes(kernel) };
  }
}

const weightsOf = ({ rows, groups }: Int4ProductKernel | Int4InputsProductKernel): number => rows * groups * INT4_GROUP;

/** Of a kernel that reads all of what it reads. */
const allBytes = (kernel: Kernel): number =>
  [...readsOf(kernel), kernel.to].reduce((bytes, buffer) => bytes + bytesOf(buffer), 0);

function loopCost({ extents, reduction, result, to }: LoopKernel): Cost {
  const all = [...extents, ...(reduction?.extents ?? [])];
  const roots = reduction ? [reduction.body, result] : [result];
  const each = (root: (typeof roots)[number]) => expressionsOf(root).filter(({ kind }) => kind === "call").length;
  const folded = reduction ? size(all) * (each(reduction.body) + 1) : 0;
  const loads = expressionsOf(...roots).filter((e) => e.kind === "load");
  const bytes = loads.reduce(
    (sum, load) => sum + elementBytes(load.dtype) * touched(load, all),
    elementBytes(to.dtype) * size(extents),
  );
  return { flops: folded + size(extents) * each(result), bytes };
}

/** Elements of its buffer that a load reads. */
const touched = (load: Load, extents: readonly number[]): number =>
  Math.min(load.from.size, size(extents.filter((_, loop) => variesAlong(load, loop))));
