import { binary, unbroadcast } from "../elementwise.ts";
import type { Op } from "../op.ts";
import type { Tensor } from "../tensor.ts";
import { neg } from "./neg.ts";
/** x - y, broadcast. int32 wraps. */
export const sub: Op<[x: Tensor, y: Tensor]> = binary(
  "sub",
  (x, y) => x - y,
  (ct, [x, y]) => [unbroadcast(ct, x), unbroadcast(neg(ct), y)],
);
