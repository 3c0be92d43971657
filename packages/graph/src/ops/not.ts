import { bool } from "../cases.ts";
import { unary } from "../elementwise.ts";
import type { Op } from "../op.ts";
import type { Tensor } from "../tensor.ts";

/** Logical negation. */
export const not: Op<[x: Tensor]> = unary("not", (x) => 1 - x, null, { dtypes: ["bool"], of: bool });
