import { i32 } from "../cases.ts";
import { ShapeError } from "../errors.ts";
import { definePrimitive, expectDtype, type Op } from "../op.ts";
import { philox } from "../philox.ts";
import type { Shape, Tensor } from "../tensor.ts";
import { size, typeName } from "../tensor.ts";

/**
 * int32 of 32 random bits each, a function of key and counter alone (Philox 4x32-10).
 *
 *   key      int32  [2]   the seed
 *   counter  int32  [2]   which draw
 */
export const randomBits: Op<[key: Tensor, counter: Tensor], { shape: Shape }> = definePrimitive({
  name: "randomBits",
  infer([key, counter], { shape }) {
    for (const words of [key, counter]) {
      expectDtype("randomBits", words, "int32");
      if (words.shape.length !== 1 || words.shape[0] !== 2)
        throw new ShapeError(`randomBits: key and counter are int32[2], not ${typeName(words)}`);
    }
    return { dtype: "int32", shape };
  },
  evaluate: ([key, counter], { shape }) => philox(key.data, counter.data, size(shape)),
  vjp: null,
  cost: (_, __, out) => ({ flops: 0, bytes: 4 * size(out.shape) }),
  cases: [
    [i32([2], 1000), i32([2], 1000), { shape: [3, 5] }],
    [i32([2], 2 ** 31, -(2 ** 31)), i32([2], 2 ** 31, -(2 ** 31)), { shape: [9] }],
  ],
  sample: (draw) => [i32([2], 2 ** 31, -(2 ** 31)), i32([2], 2 ** 31, -(2 ** 31)), { shape: draw.shape() }],
});
