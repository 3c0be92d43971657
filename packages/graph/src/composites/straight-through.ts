import { f32 } from "../cases.ts";
import { ShapeError } from "../errors.ts";
import { type CompositeOp, defineComposite } from "../op.ts";
import { stopGradient } from "../ops/stop-gradient.ts";
import type { Tensor } from "../tensor.ts";
import { sameShape, typeName } from "../tensor.ts";

/** The value of `hard`, the gradient to `soft`: the straight-through estimator. Bengio et al. 2013. Of one shape. */
export const straightThrough: CompositeOp<[hard: Tensor, soft: Tensor]> = defineComposite({
  name: "straightThrough",
  infer([hard, soft]) {
    if (!sameShape(hard.shape, soft.shape))
      throw new ShapeError(`straightThrough of ${typeName(hard)} and ${typeName(soft)}: shapes differ`);
    return { dtype: hard.dtype, shape: hard.shape };
  },
  decompose: ([hard]) => stopGradient(hard),
  vjp: (ct) => [null, ct],
  cases: [[f32(2, 3), f32(2, 3)]],
  sample(draw) {
    const shape = draw.shape();
    return [f32(...shape), f32(...shape)];
  },
});
