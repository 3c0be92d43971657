import { binary } from "../elementwise.ts";
import type { Op } from "../op.ts";
import type { Tensor } from "../tensor.ts";

/** bool: x <= y, broadcast. */
export const lessEqual: Op<[x: Tensor, y: Tensor]> = binary("lessEqual", (x, y) => (x <= y ? 1 : 0), null, {
  result: "bool",
});
