import { extentOf, type LoopKernel, type Product } from "@finegrain/codegen";
import type { Opening, RenderedKernel } from "../kernel.ts";

/** What the writers of products have in common. */
export abstract class ProductWriter<Plan> {
  protected readonly kernel: LoopKernel;
  protected readonly product: Product;
  protected readonly plan: Plan;
  protected readonly opening: Opening;

  constructor(kernel: LoopKernel, product: Product, plan: Plan, opening: Opening) {
    this.kernel = kernel;
    this.product = product;
    this.plan = plan;
    this.opening = opening;
  }

  abstract write(): RenderedKernel;

  /** Extents of all loops, the summed ones last. */
  protected get all(): readonly number[] {
    return this.product.extents;
  }

  /** Iterations of these loops together. */
  protected extent(loops: readonly number[]): number {
    return extentOf(this.product, loops);
  }
}
