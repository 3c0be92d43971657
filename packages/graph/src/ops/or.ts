import { binary } from "../elementwise.ts";
import type { Op } from "../op.ts";
import type { Tensor } from "../tensor.ts";

/** Logical or of two bools, broadcast. */
export const or: Op<[x: Tensor, y: Tensor]> = binary("or", (x, y) => x | y, null, { dtypes: ["bool"] });
