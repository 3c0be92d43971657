import { f32 } from "../cases.ts";
import { ShapeError } from "../errors.ts";
import { definePrimitive, expectDtype, type Op } from "../op.ts";
import type { Tensor } from "../tensor.ts";
import { size } from "../tensor.ts";

/**
 * int32 indices of the k largest entries along the last axis, largest first, the lower index first among equals:
 * [..., n] -> [..., k]. With k = n it sorts.
 */
export const topK: Op<[x: Tensor], { k: number }> = definePrimitive({
  name: "topK",
  infer([x], { k }) {
    expectDtype("topK", x, "float32");
    const n = x.shape.at(-1);
    if (n === undefined || k < 1 || k > n)
      throw new ShapeError(`topK: there are no ${k} largest along the last axis of [${x.shape}]`);
    return { dtype: "int32", shape: [...x.shape.slice(0, -1), k] };
  },
  evaluate([x], { k }, out) {
    const n = x.shape.at(-1)!;
    const result = new Int32Array(size(out.shape));
    for (let row = 0; row * k < result.length; row++) {
      const entry = (i: number) => x.data[row * n + i]!;
      const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => entry(j) - entry(i) || i - j);
      result.set(order.slice(0, k), row * k);
    }
    return result;
  },
  vjp: null,
  cost: ([x]) => ({ flops: size(x.shape), bytes: 4 * size(x.shape) }),
  cases: [
    [f32(3, 5), { k: 2 }],
    [f32(4), { k: 4 }],
  ],
  sample(draw) {
    const n = draw.extent(1);
    return [f32(...draw.shape(0, 3), n), { k: draw.integer(1, n) }];
  },
});
