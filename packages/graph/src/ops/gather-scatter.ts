import { f32, i32 } from "../cases.ts";
import { ShapeError } from "../errors.ts";
import { definePrimitive, expectDtype, type Op } from "../op.ts";
import { byteSize, sameShape, size, type Tensor, typeName } from "../tensor.ts";

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

/**
 * Sum of the rows of `updates` that share an index, the transpose of {@link gather}:
 *
 *   indices  int32    [i...]         each in [0, rows)
 *   updates  float32  [i..., d...]
 *   returns  float32  [rows, d...]   zero where no index points
 */
export const scatterAdd: Op<[indices: Tensor, updates: Tensor], { rows: number }> = definePrimitive({
  name: "scatterAdd",
  infer([indices, updates], { rows }) {
    expectDtype("scatterAdd", indices, "int32");
    expectDtype("scatterAdd", updates, "float32");
    const rank = indices.shape.length;
    if (!sameShape(indices.shape, updates.shape.slice(0, rank)))
      throw new ShapeError(
        `scatterAdd: indices ${typeName(indices)} are not the leading axes of updates ${typeName(updates)}`,
      );
    return { dtype: updates.dtype, shape: [rows, ...updates.shape.slice(rank)] };
  },
  evaluate([indices, updates], _, out) {
    const row = size(out.shape.slice(1));
    const sum = new Float64Array(size(out.shape));
    for (let k = 0; k < updates.data.length; k++)
      sum[indices.data[Math.floor(k / row)]! * row + (k % row)]! += updates.data[k]!;
    return sum;
  },
  vjp: (ct, [indices]) => [null, gather(ct, indices)],
  cost: ([, updates], _, out) => ({ flops: size(updates.shape), bytes: 8 * size(updates.shape) + 4 * size(out.shape) }),
  cases: [
    [i32([4], 3), f32(4, 2), { rows: 3 }],
    [i32([2, 3], 2), f32(2, 3), { rows: 2 }],
  ],
  sample(draw) {
    const rows = draw.extent(1);
    const indices = draw.shape(0, 2);
    return [i32(indices, rows), f32(...indices, ...draw.shape(0, 2)), { rows }];
  },
});
