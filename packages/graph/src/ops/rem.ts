import { i32 } from "../cases.ts";
import { binary } from "../elementwise.ts";
import type { Op } from "../op.ts";
import type { Tensor } from "../tensor.ts";

/** Remainder of the int32 division x / y, broadcast, with the sign of x. Needs y != 0. */
export const rem: Op<[x: Tensor, y: Tensor]> = binary("rem", (x, y) => x % y, null, {
  dtypes: ["int32"],
  second: (...shape) => i32(shape, 100, 1),
});
