import { i32 } from "../cases.ts";
import { type CompositeOp, defineComposite, expectDtype } from "../op.ts";
import { cast } from "../ops/cast.ts";
import { equal } from "../ops/equal.ts";
import { iota } from "../ops/iota.ts";
import { reshape } from "../ops/reshape.ts";
import type { Tensor } from "../tensor.ts";

/** float32: 1 at the index, 0 elsewhere: int32 [...] -> [..., classes]. All 0 where the index is out of range. */
export const oneHot: CompositeOp<[indices: Tensor], { classes: number }> = defineComposite({
  name: "oneHot",
  infer([indices], { classes }) {
    expectDtype("oneHot", indices, "int32");
    return { dtype: "float32", shape: [...indices.shape, classes] };
  },
  decompose: ([indices], { classes }) =>
    cast(equal(reshape(indices, [...indices.shape, 1]), iota({ shape: [classes], axis: 0 })), "float32"),
  vjp: null,
  cases: [
    [i32([3], 4), { classes: 4 }],
    [i32([2, 2], 5), { classes: 3 }],
  ],
  sample: (draw) => [i32(draw.shape(0, 3), 5), { classes: draw.extent() }],
});
