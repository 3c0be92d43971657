import { size, type Tensor, type TensorType } from "@finegrain/graph";
import type { PartialLowerings } from "../lowering.ts";
import type { Value } from "../program-builder.ts";
import type { Operations } from "./operations.ts";

/** A place along one axis of `rank`, as int32 [rank]: zero along the others. */
export function placeAlong(tf: Operations, start: Value, rank: number, axis: number): Value {
  const unit = tf.ints(...Array.from({ length: rank }, (_, i) => (i === axis ? 1 : 0)));
  return tf.op("Mul", [start, unit], unit);
}

/**
 * Whether rows are gathered as sums of one row each, which is the same: SparseSegmentSum works on one thread, and for a few long rows
 * waking the others takes GatherV2 longer than all the copying.
 */
const isSegmentSum = (tf: Operations, { dtype, shape }: TensorType): boolean =>
  tf.isOnCpu &&
  dtype === "float32" &&
  shape.length > 1 &&
  shape[0]! > 1 &&
  size(shape) >= 2 ** 14 &&
  size(shape) <= 2 ** 18;

export const indexing = (tf: Operations) =>
  ({
    gather([table, indices], _, out) {
      const count = size(indices!.shape);
      const rest = out.shape.slice(indices!.shape.length);
      const flat = tf.reshape(indices!, [count]);
      const rows = { dtype: out.dtype, shape: [count, ...rest] };
      const found = isSegmentSum(tf, rows)
        ? tf.op("SparseSegmentSum", [table!, flat, tf.ints(...Array.from({ length: count }, (_, i) => i))], rows)
        : tf.op("GatherV2", [table!, flat, tf.int(0)], rows);
      return tf.reshape(found, out.shape);
    },
    scatterAdd: ([indices, updates], { rows }, out) =>
      tf.op("UnsortedSegmentSum", [updates!, indices!, tf.int(rows)], out),
    dynamicSlice: ([x, start], { axis }, out: Tensor) =>
      tf.op("Slice", [x!, placeAlong(tf, start!, x!.shape.length, axis), tf.ints(...out.shape)], out),
    updateSlice([x, rows, start], { axis }, out) {
      if (size(rows!.shape) === 0) return x!;
      const rank = rows!.shape.length;
      const begin = placeAlong(tf, start!, rank, axis);
      const extents = tf.ints(...rows!.shape);
      const end = tf.op("AddV2", [begin, extents], extents);
      const others = 2 ** rank - 1 - 2 ** axis; // a bit for every axis that is taken whole
      const masks = { begin_mask: others, end_mask: others };
      const strides = tf.ints(...new Array(rank).fill(1));
      return tf.op("TensorStridedSliceUpdate", [x!, begin, end, strides, rows!], out, masks);
    },
  }) satisfies PartialLowerings;
