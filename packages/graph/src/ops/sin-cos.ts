import { unary } from "../elementwise.ts";
import type { Op } from "../op.ts";
import type { Tensor } from "../tensor.ts";
import { mul } from "./mul.ts";
import { neg } from "./neg.ts";

/** Sine of an angle in radians. */
export const sin: Op<[x: Tensor]> = unary("sin", Math.sin, (ct, [x]) => [mul(ct, cos(x))]);

/** Cosine of an angle in radians. */
export const cos: Op<[x: Tensor]> = unary("cos", Math.cos, (ct, [x]) => [neg(mul(ct, sin(x)))]);
