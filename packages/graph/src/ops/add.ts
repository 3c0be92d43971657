import { binary, unbroadcast } from "../elementwise.ts";
import type { Op } from "../op.ts";
import type { Tensor } from "../tensor.ts";

/** x + y, broadcast. int32 wraps. */
export const add: Op<[x: Tensor, y: Tensor]> = binary(
  "add",
  (x, y) => x + y,
  (ct, [x, y]) => [unbroadcast(ct, x), unbroadcast(ct, y)],
);
