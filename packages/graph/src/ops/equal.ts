import { binary } from "../elementwise.ts";
import type { Op } from "../op.ts";
import type { Tensor } from "../tensor.ts";

/** bool: x = y, broadcast. */
export const equal: Op<[x: Tensor, y: Tensor]> = binary("equal", (x, y) => (x === y ? 1 : 0), null, { result: "bool" });
