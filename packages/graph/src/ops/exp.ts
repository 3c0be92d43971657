import { unary } from "../elementwise.ts";
import type { Op } from "../op.ts";
import type { Tensor } from "../tensor.ts";
import { mul } from "./mul.ts";
/** e to the x. */
export const exp: Op<[x: Tensor]> = unary("exp", Math.exp, (ct, _, __, out) => [mul(ct, out)]);
