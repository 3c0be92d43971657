import type { CompositeOp } from "../op.ts";
import { max } from "../ops/max.ts";
import { mul } from "../ops/mul.ts";
import { sign } from "../ops/sign.ts";
import type { Tensor } from "../tensor.ts";
import { composed } from "./composition.ts";

/** max(x, 0). Its gradient at 0 is 0. */
export const relu: CompositeOp<[x: Tensor]> = composed(
  "relu",
  (x) => max(x, 0),
  (ct, _, __, out) => [mul(ct, sign(out))],
);
