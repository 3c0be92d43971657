import { unary } from "../elementwise.ts";
import type { Op } from "../op.ts";
import type { Tensor } from "../tensor.ts";

/** The largest integer that is not above x. Without a gradient. */
export const floor: Op<[x: Tensor]> = unary("floor", Math.floor, null);
