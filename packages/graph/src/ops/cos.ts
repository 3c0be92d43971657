import { unary } from "../elementwise.ts";
import type { Op } from "../op.ts";
import type { Tensor } from "../tensor.ts";
import { mul } from "./mul.ts";
import { neg } from "./neg.ts";
import { sin } from "./sin.ts";
/** Cosine of an angle in radians. */
export const cos: Op<[x: Tensor]> = unary("cos", Math.cos, (ct, [x]) => [neg(mul(ct, sin(x)))]);
