import { i32 } from "../cases.ts";
import { definePrimitive, expectDtype, type Op } from "../op.ts";
import type { Tensor } from "../tensor.ts";

/** Logical shift of int32 by 1 to 31 bits: zeros come in from the left, so the result is not negative. */
export const shiftRight: Op<[x: Tensor], { bits: number }> = definePrimitive({
  name: "shiftRight",
  infer([x]) {
    expectDtype("shiftRight", x, "int32");
    return { dtype: "int32", shape: x.shape };
  },
  evaluate: ([x], { bits }) => Int32Array.from(x.data, (v) => v >>> bits),
  vjp: null,
  cases: [
    [i32([6], 2 ** 31, -(2 ** 31)), { bits: 8 }],
    [i32([2, 2], 100), { bits: 1 }],
  ],
  sample: (draw) => [i32(draw.shape(), 2 ** 31, -(2 ** 31)), { bits: draw.integer(1, 31) }],
});
