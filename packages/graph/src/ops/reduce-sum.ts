import type { Op } from "../op.ts";
import { keptShape, type ReduceAttrs, reduction } from "../reduction.ts";
import type { Tensor } from "../tensor.ts";
import { broadcastTo } from "./broadcast-to.ts";
import { reshape } from "./reshape.ts";

/** Sum over `axes`; over an empty axis 0. */
export const reduceSum: Op<[x: Tensor], ReduceAttrs> = reduction(
  "reduceSum",
  0,
  (sofar, x) => sofar + x,
  (ct, [x], { axes }) => [broadcastTo(reshape(ct, keptShape(x, axes)), x.shape)],
  0,
);
