import { f32, i32 } from "../cases.ts";
import { ShapeError } from "../errors.ts";
import { type CompositeOp, defineComposite, expectDtype } from "../op.ts";
import { reduceSum } from "../ops/broadcast-sum.ts";
import { mul } from "../ops/mul.ts";
import { reshape } from "../ops/reshape.ts";
import { sub } from "../ops/sub.ts";
import type { Tensor } from "../tensor.ts";
import { sameShape, typeName } from "../tensor.ts";
import { expectLastAxis } from "./composition.ts";
import { logSumExp } from "./log-sum-exp.ts";
import { oneHot } from "./one-hot.ts";
import { softmax } from "./softmax.ts";

/**
 * Negative log-likelihood, in nats, of each target under the softmax of its logits.
 *
 *   logits   float32  [..., V]
 *   targets  int32    [...]      each in [0, V)
 *   returns  float32  [...]
 */
export const crossEntropy: CompositeOp<[logits: Tensor, targets: Tensor]> = defineComposite({
  name: "crossEntropy",
  infer([logits, targets]) {
    expectDtype("crossEntropy", targets, "int32");
    expectLastAxis("crossEntropy", logits);
    if (!sameShape(targets.shape, logits.shape.slice(0, -1)))
      throw new ShapeError(`crossEntropy: targets ${typeName(targets)} do not fit logits ${typeName(logits)}`);
    return { dtype: logits.dtype, shape: targets.shape };
  },
  decompose([logits, targets]) {
    const chosen = mul(logits, oneHot(targets, { classes: logits.shape.at(-1)! }));
    return sub(logSumExp(logits), reduceSum(chosen, { axes: [logits.shape.length - 1] }));
  },
  // d/dlogits = softmax(logits) - onehot(target)
  vjp(ct, [logits, targets]) {
    const error = sub(softmax(logits), oneHot(targets, { classes: logits.shape.at(-1)! }));
    return [mul(reshape(ct, [...ct.shape, 1]), error), null];
  },
  cases: [
    [f32(2, 3, 5), i32([2, 3], 5)],
    [f32(4), i32([], 4)],
  ],
  sample(draw) {
    const shape = draw.shape(0, 2);
    const classes = draw.extent(1);
    return [f32(...shape, classes), i32(shape, classes)];
  },
});
