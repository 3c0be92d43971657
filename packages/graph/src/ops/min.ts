import { binary, unbroadcast } from "../elementwise.ts";
import type { Op } from "../op.ts";
import type { Tensor } from "../tensor.ts";
import { less } from "./less.ts";
import { select } from "./select.ts";
/** The smaller of x and y, broadcast. Where they are equal the gradient goes to y. */
export const min: Op<[x: Tensor, y: Tensor]> = binary(
  "min",
  (x, y) => Math.min(x, y),
  (ct, [x, y]) => [unbroadcast(select(less(x, y), ct, 0), x), unbroadcast(select(less(x, y), 0, ct), y)],
);
