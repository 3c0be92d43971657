import { positive } from "../cases.ts";
import { binary, unbroadcast } from "../elementwise.ts";
import type { Op } from "../op.ts";
import type { Tensor } from "../tensor.ts";
import { log } from "./log.ts";
import { mul } from "./mul.ts";
import { sub } from "./sub.ts";
/** x to the y, broadcast, for x > 0. */
export const pow: Op<[x: Tensor, y: Tensor]> = binary(
  "pow",
  Math.pow,
  (ct, [x, y], _, out) => [
    unbroadcast(mul(ct, mul(y, pow(x, sub(y, 1)))), x),
    unbroadcast(mul(ct, mul(out, log(x))), y),
  ],
  { first: positive, dtypes: ["float32"] },
);
