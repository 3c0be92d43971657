import { unary } from "../elementwise.ts";
import type { Op } from "../op.ts";
import type { Tensor } from "../tensor.ts";
import { cos } from "./cos.ts";
import { mul } from "./mul.ts";
/** Sine of an angle in radians. */
export const sin: Op<[x: Tensor]> = unary("sin", Math.sin, (ct, [x]) => [mul(ct, cos(x))]);
