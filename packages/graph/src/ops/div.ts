import { positive } from "../cases.ts";
import { binary, unbroadcast } from "../elementwise.ts";
import type { Op } from "../op.ts";
import type { Tensor } from "../tensor.ts";
import { mul } from "./mul.ts";
import { neg } from "./neg.ts";
/** x / y, broadcast. int32 rounds towards zero and needs y != 0. */
export const div: Op<[x: Tensor, y: Tensor]> = binary(
  "div",
  (x, y, dtype) => (dtype === "int32" ? Math.trunc(x / y) : x / y),
  (ct, [x, y], _, out) => [unbroadcast(div(ct, y), x), unbroadcast(neg(mul(ct, div(out, y))), y)],
  { second: positive, dtypes: ["float32"] },
);
