import { positive } from "../cases.ts";
import { unary } from "../elementwise.ts";
import type { Op } from "../op.ts";
import type { Tensor } from "../tensor.ts";
import { div } from "./div.ts";
import { mul } from "./mul.ts";
/** Square root. */
export const sqrt: Op<[x: Tensor]> = unary("sqrt", Math.sqrt, (ct, _, __, out) => [div(ct, mul(2, out))], {
  of: positive,
});
