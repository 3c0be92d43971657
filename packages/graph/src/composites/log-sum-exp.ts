import { f32 } from "../cases.ts";
import { type CompositeOp, defineComposite } from "../op.ts";
import { add } from "../ops/add.ts";
import { reduceSum } from "../ops/broadcast-sum.ts";
import { exp } from "../ops/exp.ts";
import { log } from "../ops/log.ts";
import { mul } from "../ops/mul.ts";
import { reduceMax } from "../ops/reduce-max.ts";
import { reshape } from "../ops/reshape.ts";
import { sub } from "../ops/sub.ts";
import type { Tensor } from "../tensor.ts";
import { expectLastAxis } from "./composition.ts";
import { softmax } from "./softmax.ts";

/** log(sum exp(x)) along the last axis, which goes: [..., n] -> [...]. */
export const logSumExp: CompositeOp<[x: Tensor]> = defineComposite({
  name: "logSumExp",
  infer([x]) {
    expectLastAxis("logSumExp", x);
    return { dtype: x.dtype, shape: x.shape.slice(0, -1) };
  },
  decompose([x]) {
    const axes = [x.shape.length - 1];
    const largest = reduceMax(x, { axes, keepDims: true });
    const sum = reduceSum(exp(sub(x, largest)), { axes });
    return add(log(sum), reshape(largest, sum.shape));
  },
  vjp: (ct, [x]) => [mul(reshape(ct, [...ct.shape, 1]), softmax(x))],
  cases: [[f32(2, 3)], [f32(4)]],
  sample: (draw) => [f32(...draw.shape(0, 3), draw.extent(1))],
});
