import { unary } from "../elementwise.ts";
import type { Op } from "../op.ts";
import type { Tensor } from "../tensor.ts";

/** -x, element by element. */
export const neg: Op<[x: Tensor]> = unary(
  "neg",
  (x) => -x,
  (ct) => [neg(ct)],
  { dtypes: ["float32", "int32"] },
);
