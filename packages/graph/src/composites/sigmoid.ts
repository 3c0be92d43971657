import type { CompositeOp } from "../op.ts";
import { add } from "../ops/add.ts";
import { div } from "../ops/div.ts";
import { exp } from "../ops/exp.ts";
import { mul } from "../ops/mul.ts";
import { neg } from "../ops/neg.ts";
import { sub } from "../ops/sub.ts";
import type { Tensor } from "../tensor.ts";
import { composed } from "./composition.ts";

/** 1 / (1 + exp(-x)). */
export const sigmoid: CompositeOp<[x: Tensor]> = composed(
  "sigmoid",
  (x) => div(1, add(1, exp(neg(x)))),
  (ct, _, __, out) => [mul(ct, mul(out, sub(1, out)))],
);
