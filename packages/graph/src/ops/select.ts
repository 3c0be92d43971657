import { broadcastShape, broadcastStrides, stridedIndices } from "../broadcast.ts";
import { bool, broadcastable, f32, i32 } from "../cases.ts";
import { unbroadcast } from "../elementwise.ts";
import { ShapeError } from "../errors.ts";
import { definePrimitive, expectDtype, type Op } from "../op.ts";
import type { Tensor } from "../tensor.ts";
import { typeName } from "../tensor.ts";

/** x where the condition holds, y elsewhere; all three broadcast. `condition` is bool, x and y are of one dtype. */
export const select: Op<[condition: Tensor, x: Tensor, y: Tensor]> = definePrimitive({
  name: "select",
  infer([condition, x, y]) {
    expectDtype("select", condition, "bool");
    if (x.dtype !== y.dtype)
      throw new ShapeError(`select between ${typeName(x)} and ${typeName(y)}: both must have one dtype`);
    return {
      dtype: x.dtype,
      shape: broadcastShape("select", condition.shape, broadcastShape("select", x.shape, y.shape)),
    };
  },
  evaluate([condition, x, y], _, out) {
    const [c, a, b] = [condition, x, y].map(({ shape }) =>
      stridedIndices(out.shape, broadcastStrides(shape, out.shape)),
    );
    return Float64Array.from(c!, (at, k) => (condition.data[at] ? x.data[a![k]!]! : y.data[b![k]!]!));
  },
  vjp: (ct, [condition, x, y]) => [
    null,
    unbroadcast(select(condition, ct, 0), x),
    unbroadcast(select(condition, 0, ct), y),
  ],
  cases: [
    [bool(2, 3), f32(2, 3), f32(2, 3)],
    [bool(3), f32(2, 1), f32()],
    [bool(4), i32([4], 9), i32([1], 9)],
  ],
  sample(draw) {
    const [x, y] = broadcastable(draw);
    return [bool(...x), f32(...y), f32(...x)];
  },
});
