import { f32, i32 } from "../cases.ts";
import { expectDtype } from "../elementwise.ts";
import { ShapeError } from "../errors.ts";
import { definePrimitive, type Op } from "../op.ts";
import type { Tensor } from "../tensor.ts";
import { sameShape, size, typeName } from "../tensor.ts";
import { gather } from "./gather.ts";

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
