import type { Expression, LoopKernel, Product, Reduction } from "@finegrain/codegen";
import type { Local } from "../../assembler/code.ts";
import type { Opening, Target } from "../kernel.ts";
import { ReducingRenderer } from "../loops/loop-renderer.ts";
import { Strip } from "../loops/strip.ts";

export interface ProductOptions {
  readonly product: Product;
  readonly target: Target;
}

/** What the writers of products share. Their products have one summed loop. */
export abstract class ProductRenderer extends ReducingRenderer {
  protected readonly product: Product;
  protected readonly target: Target;

  constructor(kernel: LoopKernel, reduction: Reduction, opening: Opening, { product, target }: ProductOptions) {
    super(kernel, reduction, opening);
    this.product = product;
    this.target = target;
  }

  protected get summed(): number {
    return this.product.summed[0]!;
  }

  /** The value of an int32 that no loop changes, as a pointer-sized integer with its sign. */
  protected whole(e: Expression): Local {
    const { code, frame } = this;
    new Strip(frame, { roots: [e], lanes: 4 }).writer().write(e);
    const local = code.local("pointer");
    code.lane("i32x4.extract_lane", 0).toPointer().set(local);
    return local;
  }

  /** sum = sum + x * y, fused where the runtime can. */
  protected multiplyAdd(x: Local, y: Local, sum: Local): void {
    const { code } = this;
    if (this.target.relaxed) code.get(x).get(y).get(sum).vector("f32x4.relaxed_madd");
    else code.get(x).get(y).vector("f32x4.mul").get(sum).vector("f32x4.add");
    code.set(sum);
  }
}
