import { positive } from "../cases.ts";
import { unary } from "../elementwise.ts";
import type { Op } from "../op.ts";
import type { Tensor } from "../tensor.ts";
import { div } from "./div.ts";
/** Natural logarithm. */
export const log: Op<[x: Tensor]> = unary("log", Math.log, (ct, [x]) => [div(ct, x)], { of: positive });
