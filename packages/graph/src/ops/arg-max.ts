import { f32 } from "../cases.ts";
import { ShapeError } from "../errors.ts";
import { definePrimitive, expectDtype, type Op } from "../op.ts";
import type { Tensor } from "../tensor.ts";
import { size } from "../tensor.ts";

/** int32 index of the largest entry along the last axis, the first of equals: [..., n] -> [...]. n is at least 1. */
export const argMax: Op<[x: Tensor]> = definePrimitive({
  name: "argMax",
  infer([x]) {
    expectDtype("argMax", x, "float32", "int32");
    if (!x.shape.at(-1)) throw new ShapeError(`argMax of [${x.shape}]: the last axis is missing or empty`);
    return { dtype: "int32", shape: x.shape.slice(0, -1) };
  },
  evaluate([x], _, out) {
    const n = x.shape.at(-1)!;
    return Int32Array.from({ length: size(out.shape) }, (_, row) => {
      let best = 0;
      for (let i = 1; i < n; i++) if (x.data[row * n + i]! > x.data[row * n + best]!) best = i;
      return best;
    });
  },
  vjp: null,
  cost: ([x]) => ({ flops: size(x.shape), bytes: 4 * size(x.shape) }),
  cases: [[f32(3, 5)], [f32(4)], [f32(2, 2, 1)]],
  sample: (draw) => [f32(...draw.shape(0, 3), draw.extent(1))],
});
