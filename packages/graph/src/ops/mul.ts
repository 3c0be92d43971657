import { binary, unbroadcast } from "../elementwise.ts";
import type { Op } from "../op.ts";
import type { Tensor } from "../tensor.ts";

/** x y, broadcast. int32 wraps. */
export const mul: Op<[x: Tensor, y: Tensor]> = binary(
  "mul",
  (x, y, dtype) => (dtype === "int32" ? Math.imul(x, y) : x * y),
  (ct, [x, y]) => [unbroadcast(mul(ct, y), x), unbroadcast(mul(ct, x), y)],
);
