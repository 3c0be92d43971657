import type { CompositeOp } from "../op.ts";
import { abs } from "../ops/abs.ts";
import { add } from "../ops/add.ts";
import { exp } from "../ops/exp.ts";
import { log } from "../ops/log.ts";
import { max } from "../ops/max.ts";
import { mul } from "../ops/mul.ts";
import { neg } from "../ops/neg.ts";
import type { Tensor } from "../tensor.ts";
import { composed } from "./composition.ts";
import { sigmoid } from "./sigmoid.ts";

/** log(1 + exp(x)), without overflow. */
export const softplus: CompositeOp<[x: Tensor]> = composed(
  "softplus",
  (x) => add(max(x, 0), log(add(1, exp(neg(abs(x)))))),
  (ct, [x]) => [mul(ct, sigmoid(x))],
);
