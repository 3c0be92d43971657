import { binary } from "../elementwise.ts";
import type { Op } from "../op.ts";
import type { Tensor } from "../tensor.ts";

/** Logical and of two bools, broadcast. */
export const and: Op<[x: Tensor, y: Tensor]> = binary("and", (x, y) => x & y, null, { dtypes: ["bool"] });
