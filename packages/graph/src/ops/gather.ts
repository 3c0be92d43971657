import { f32, i32 } from "../cases.ts";
import { expectDtype } from "../elementwise.ts";
import { ShapeError } from "../errors.ts";
import { definePrimitive, type Op } from "../op.ts";
import type { Tensor } from "../tensor.ts";
import { byteSize, size, typeName } from "../tensor.ts";
import { scatterAdd } from "./scatter-add.ts";

/**
 * Rows of `table` picked by `indices`:  out[i..., :] = table[indices[i...], :]
 *
 *   table    any    [n, d...]
 *   indices  int32  [i...]       each in [0, n); anything else is undefined behaviour
 *   returns         [i..., d...]
 *
 * The primitive behind embedding lookup, expert dispatch and sparse decoding.
 */
export const gather: Op<[table: Tensor, indices: Tensor]> = definePrimitive({
  name: "gather",
  infer([table, indices]) {
    expectDtype("gather", indices, "int32");
    if (table.shape.length === 0) throw new ShapeError(`gather: the table is ${typeName(table)} and has no rows`);
    return { dtype: table.dtype, shape: [...indices.shape, ...table.shape.slice(1)] };
  },
  evaluate([table, indices], _, out) {
    const row = size(table.shape.slice(1));
    return Float64Array.from(
      { length: size(out.shape) },
      (_, k) => table.data[indices.data[Math.floor(k / row)]! * row + (k % row)]!,
    );
  },
  vjp: (ct, [table, indices]) => [scatterAdd(indices, ct, { rows: table.shape[0]! }), null],
  cost: ([, indices], _, out) => ({ flops: 0, bytes: byteSize(indices) + 2 * byteSize(out) }),
  cases: [
    [f32(5, 3), i32([4], 5)],
    [f32(2), i32([3, 2], 2)],
    [f32(4, 2, 3), i32([], 4)],
    [i32([4], 9), i32([2], 4)],
  ],
  sample(draw) {
    const rows = draw.extent(1);
    return [f32(rows, ...draw.shape(0, 2)), i32(draw.shape(0, 2), rows)];
  },
});
