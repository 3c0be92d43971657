import { unary } from "../elementwise.ts";
import type { Op } from "../op.ts";
import type { Tensor } from "../tensor.ts";
import { mul } from "./mul.ts";
import { sub } from "./sub.ts";
/** Hyperbolic tangent. */
export const tanh: Op<[x: Tensor]> = unary("tanh", Math.tanh, (ct, _, __, out) => [mul(ct, sub(1, mul(out, out)))]);
