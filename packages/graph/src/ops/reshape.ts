import { f32, i32 } from "../cases.ts";
import { ShapeError } from "../errors.ts";
import { definePrimitive, type Op } from "../op.ts";
import type { Shape, Tensor } from "../tensor.ts";
import { size } from "../tensor.ts";

/** The same elements in row-major order under another shape of as many. */
export const reshape: Op<[x: Tensor], Shape> = definePrimitive({
  name: "reshape",
  infer([x], shape) {
    if (size(shape) !== size(x.shape))
      throw new ShapeError(`reshape: [${x.shape}] does not have the elements of [${shape}]`);
    return { dtype: x.dtype, shape };
  },
  evaluate: ([x]) => x.data,
  vjp: (ct, [x]) => [reshape(ct, x.shape)],
  cost: () => ({ flops: 0, bytes: 0 }),
  cases: [
    [f32(2, 6), [3, 4]],
    [f32(), [1, 1]],
    [f32(0, 3), [2, 0]],
    [i32([4], 9), [2, 2]],
  ],
  sample(draw) {
    const shape = draw.shape(1);
    return [f32(...shape), [...shape].reverse()];
  },
});
