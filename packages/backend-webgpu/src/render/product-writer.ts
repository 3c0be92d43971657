import type { LoopKernel, Product } from "@finegrain/codegen";
import { size } from "@finegrain/graph";
import type { Opening, RenderedKernel } from "./kernel.ts";

/** What the writers of products have in common. */
export abstract class ProductWriter {
  protected readonly kernel: LoopKernel;
  protected readonly product: Product;
  protected readonly opening: Opening;
  /** Extents of all loops, the summed ones last. */
  protected readonly all: readonly number[];

  constructor(kernel: LoopKernel, product: Product, opening: Opening) {
    this.kernel = kernel;
    this.product = product;
    this.opening = opening;
    this.all = [...kernel.extents, ...kernel.reduction!.extents]; // a product has one
  }

  abstract write(): RenderedKernel;

  /** Iterations of these loops together. */
  protected extent(loops: readonly number[]): number {
    return size(loops.map((loop) => this.all[loop]!));
  }
}
