import { unary } from "../elementwise.ts";
import type { Op } from "../op.ts";
import type { Tensor } from "../tensor.ts";

/** -1, 0 or 1. Without a gradient. */
export const sign: Op<[x: Tensor]> = unary("sign", Math.sign, null);
