import { size } from "@finegrain/graph";
import { expressionsOf } from "../ir/expression.ts";
import type { Kernel, LoopKernel } from "../ir/kernel.ts";
import { asProduct } from "./product.ts";

/** What a kernel asks of the workgroups that do it. */
export interface Work {
  /** Parallel iterations, where they can be cut into rows. */
  readonly iterations: number | undefined;
  /** Multiplications and the like, one for each element that is read or made. */
  readonly steps: number;
  /** Of a sum whose lanes would read what lies apart if they shared it: how long it is; else 0. */
  readonly scattered: number;
  /** A product of matrices, or of a matrix and a vector, which reads every weight once. */
  readonly product: "matrices" | "vector" | undefined;
  /** Rows of a product that read the same weights; 1 where no two do. */
  readonly reuse: number;
}

export const workOf = (kernel: Kernel): Work => ({
  iterations: kernel.kind === "loop" ? size(kernel.extents) : undefined,
  steps: stepsOf(kernel),
  scattered: kernel.kind === "loop" && !readsAlongSum(kernel) ? size(kernel.reduction?.extents ?? []) : 0,
  product: kernel.kind === "loop" ? productOf(kernel) : undefined,
  reuse: kernel.kind === "loop" ? reuseOf(kernel) : 1,
});

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
  }
}
/** Rounds of Philox, of two multiplications each, for one of four numbers. */
const PHILOX_STEPS = 5;

/** Whether lanes that share a sum read neighbours, or the same. */
function readsAlongSum({ extents, reduction }: LoopKernel): boolean {
  if (!reduction || reduction.extents.length === 0) return true;
  const innermost = extents.length + reduction.extents.length - 1;
  return expressionsOf(reduction.body).every((e) => e.kind !== "load" || e.at.strides[innermost]! <= 1);
}

function reuseOf(kernel: LoopKernel): number {
  const product = asProduct(kernel);
  return product && product.columns.length > 0 ? size(product.rows.map((loop) => kernel.extents[loop]!)) : 1;
}

function productOf(kernel: LoopKernel): Work["product"] {
  const product = asProduct(kernel);
  return product && (product.batch.length === 0 && product.rows.length === 0 ? "vector" : "matrices");
}
