import type { Op } from "../op.ts";
import { keptShape, type ReduceAttrs, reduction } from "../reduction.ts";
import type { Tensor } from "../tensor.ts";
import { reduceSum } from "./broadcast-sum.ts";
import { cast } from "./cast.ts";
import { div } from "./div.ts";
import { equal } from "./equal.ts";
import { mul } from "./mul.ts";
import { reshape } from "./reshape.ts";

/** Maximum over `axes`, none of which may be empty. The gradient is shared by equal maxima. */
export const reduceMax: Op<[x: Tensor], ReduceAttrs> = reduction(
  "reduceMax",
  Number.NEGATIVE_INFINITY,
  Math.max,
  (ct, [x], { axes }, out) => {
    const kept = keptShape(x, axes);
    const largest = cast(equal(x, reshape(out, kept)), "float32");
    return [mul(largest, div(reshape(ct, kept), reduceSum(largest, { axes, keepDims: true })))];
  },
  1,
);
