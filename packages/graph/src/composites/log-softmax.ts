import type { CompositeOp } from "../op.ts";
import { reduceSum } from "../ops/broadcast-sum.ts";
import { exp } from "../ops/exp.ts";
import { mul } from "../ops/mul.ts";
import { reshape } from "../ops/reshape.ts";
import { sub } from "../ops/sub.ts";
import type { Tensor } from "../tensor.ts";
import { composed } from "./composition.ts";
import { logSumExp } from "./log-sum-exp.ts";

/** x - log(sum exp(x)) along the last axis. */
export const logSoftmax: CompositeOp<[x: Tensor]> = composed(
  "logSoftmax",
  (x) => sub(x, reshape(logSumExp(x), [...x.shape.slice(0, -1), 1])),
  (ct, [x], _, out) => [sub(ct, mul(exp(out), reduceSum(ct, { axes: [x.shape.length - 1], keepDims: true })))],
  { lastAxis: true },
);
