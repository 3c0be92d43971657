import type { CompositeOp } from "../op.ts";
import { less } from "../ops/less.ts";
import { max } from "../ops/max.ts";
import { select } from "../ops/select.ts";
import type { Tensor } from "../tensor.ts";
import { composed } from "./composition.ts";

/** max(x, 0). Its gradient at 0 is 0. */
export const relu: CompositeOp<[x: Tensor]> = composed(
  "relu",
  (x) => max(x, 0),
  (ct, [x]) => [select(less(0, x), ct, 0)],
);
