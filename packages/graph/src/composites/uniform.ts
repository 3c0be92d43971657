import { i32 } from "../cases.ts";
import { type CompositeOp, defineComposite } from "../op.ts";
import { add } from "../ops/add.ts";
import { cast } from "../ops/cast.ts";
import { mul } from "../ops/mul.ts";
import { randomBits } from "../ops/random-bits.ts";
import { shiftRight } from "../ops/shift-right.ts";
import type { Shape, Tensor } from "../tensor.ts";

/**
 * float32 uniform in the open interval (0, 1): the upper 23 bits of {@link randomBits}, and half a unit, which is exact.
 *
 *   key, counter  int32 [2]
 */
export const uniform: CompositeOp<[key: Tensor, counter: Tensor], { shape: Shape }> = defineComposite({
  name: "uniform",
  infer: (_, { shape }) => ({ dtype: "float32", shape }),
  decompose: ([key, counter], attrs) =>
    mul(add(cast(shiftRight(randomBits(key, counter, attrs), { bits: 9 }), "float32"), 0.5), 2 ** -23),
  vjp: null,
  cases: [[i32([2], 1000), i32([2], 1000), { shape: [3, 5] }]],
  sample: (draw) => [i32([2], 1000), i32([2], 1000), { shape: draw.shape() }],
});
