import { ShapeError } from "../errors.ts";
import { definePrimitive, type Op } from "../op.ts";
import type { ComputeDType, Shape } from "../tensor.ts";
import { size } from "../tensor.ts";

/** Numbers that are part of the program, row-major. For small tables: a larger one is an input. */
export const constant: Op<[], { dtype: ComputeDType; shape: Shape; data: readonly number[] }> = definePrimitive({
  name: "constant",
  infer(_, { dtype, shape, data }) {
    if (data.length !== size(shape)) throw new ShapeError(`constant: ${data.length} numbers for [${shape}]`);
    return { dtype, shape };
  },
  evaluate: (_, { data }) => Float64Array.from(data),
  vjp: null,
  cost: () => ({ flops: 0, bytes: 0 }),
  cases: [
    [{ dtype: "float32", shape: [], data: [1.5] }],
    [{ dtype: "int32", shape: [2, 2], data: [1, -2, 3, 4] }],
    [{ dtype: "bool", shape: [2], data: [1, 0] }],
  ],
  sample(draw) {
    const shape = draw.shape();
    return [{ dtype: "float32", shape, data: Array.from({ length: size(shape) }, () => draw.integer(-9, 9)) }];
  },
});
