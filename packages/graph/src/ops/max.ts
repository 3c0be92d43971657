import { binary, unbroadcast } from "../elementwise.ts";
import type { Op } from "../op.ts";
import type { Tensor } from "../tensor.ts";
import { less } from "./less.ts";
import { select } from "./select.ts";
/** The larger of x and y, broadcast. Where they are equal the gradient goes to y. */
export const max: Op<[x: Tensor, y: Tensor]> = binary(
  "max",
  (x, y) => Math.max(x, y),
  (ct, [x, y]) => [unbroadcast(select(less(y, x), ct, 0), x), unbroadcast(select(less(y, x), 0, ct), y)],
);
