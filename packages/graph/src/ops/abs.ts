import { unary } from "../elementwise.ts";
import type { Op } from "../op.ts";
import type { Tensor } from "../tensor.ts";
import { mul } from "./mul.ts";
import { sign } from "./sign.ts";
/** |x|, element by element. Its gradient at 0 is 0. */
export const abs: Op<[x: Tensor]> = unary("abs", Math.abs, (ct, [x]) => [mul(ct, sign(x))]);
