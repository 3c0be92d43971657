import { stridedIndices, strides } from "../broadcast.ts";
import { f32, i32 } from "../cases.ts";
import { ShapeError } from "../errors.ts";
import { definePrimitive, type Op } from "../op.ts";
import type { Shape, Tensor } from "../tensor.ts";

/** Axes in another order: axis i of the result is axis order[i] of x. */
export const transpose: Op<[x: Tensor], Shape> = definePrimitive({
  name: "transpose",
  infer([x], order) {
    if (order.length !== x.shape.length || x.shape.some((_, axis) => !order.includes(axis)))
      throw new ShapeError(`transpose: [${order}] is not an order of the axes of [${x.shape}]`);
    return { dtype: x.dtype, shape: order.map((axis) => x.shape[axis]!) };
  },
  evaluate([x], order, out) {
    const step = strides(x.shape);
    return Float64Array.from(
      stridedIndices(
        out.shape,
        order.map((axis) => step[axis]!),
      ),
      (at) => x.data[at]!,
    );
  },
  vjp: (ct, _, order) => [
    transpose(
      ct,
      order.map((_, axis) => order.indexOf(axis)),
    ),
  ],
  cases: [
    [f32(2, 3), [1, 0]],
    [f32(2, 3, 4), [2, 0, 1]],
    [i32([2, 3], 9), [1, 0]],
  ],
  sample(draw) {
    const shape = draw.shape();
    const order = shape.map((_, axis) => axis);
    for (let i = order.length - 1; i > 0; i--) {
      const j = draw.integer(0, i);
      [order[i], order[j]] = [order[j]!, order[i]!];
    }
    return [f32(...shape), order];
  },
});
