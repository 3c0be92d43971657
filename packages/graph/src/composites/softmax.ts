import type { CompositeOp } from "../op.ts";
import { reduceSum } from "../ops/broadcast-sum.ts";
import { div } from "../ops/div.ts";
import { exp } from "../ops/exp.ts";
import { mul } from "../ops/mul.ts";
import { reduceMax } from "../ops/reduce-max.ts";
import { sub } from "../ops/sub.ts";
import type { Tensor } from "../tensor.ts";
import { composed } from "./composition.ts";

/** exp(x) over its sum along the last axis. */
export const softmax: CompositeOp<[x: Tensor]> = composed(
  "softmax",
  (x) => {
    const last = { axes: [x.shape.length - 1], keepDims: true };
    const powers = exp(sub(x, reduceMax(x, last)));
    return div(powers, reduceSum(powers, last));
  },
  (ct, [x], _, out) => {
    const product = mul(ct, out);
    return [sub(product, mul(out, reduceSum(product, { axes: [x.shape.length - 1], keepDims: true })))];
  },
  { lastAxis: true },
);
