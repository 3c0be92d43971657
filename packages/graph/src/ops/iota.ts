import { stridedIndices } from "../broadcast.ts";
import { ShapeError } from "../errors.ts";
import { definePrimitive, type Op } from "../op.ts";
import type { Shape } from "../tensor.ts";

/** int32: every element is its own index along `axis`. */
export const iota: Op<[], { shape: Shape; axis: number }> = definePrimitive({
  name: "iota",
  infer(_, { shape, axis }) {
    if (!(axis in shape)) throw new ShapeError(`iota: [${shape}] has no axis ${axis}`);
    return { dtype: "int32", shape };
  },
  evaluate: (_, { axis }, out) =>
    stridedIndices(
      out.shape,
      out.shape.map((_, i) => (i === axis ? 1 : 0)),
    ),
  vjp: null,
  cases: [[{ shape: [5], axis: 0 }], [{ shape: [2, 3], axis: 0 }], [{ shape: [2, 3, 4], axis: 1 }]],
  sample(draw) {
    const shape = draw.shape(1);
    return [{ shape, axis: draw.integer(0, shape.length - 1) }];
  },
});
