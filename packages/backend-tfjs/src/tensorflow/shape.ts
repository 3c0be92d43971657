import { expectComputeDType, type Shape } from "@finegrain/graph";
import type { PartialLowerings } from "../lowering.ts";
import { DT } from "./binding.ts";
import type { Operations } from "./operations.ts";

/** Whether an order of axes moves none but those of one element. */
export function isView(shape: Shape, order: readonly number[]): boolean {
  const moved = order.filter((axis) => shape[axis] !== 1);
  return moved.every((axis, i) => i === 0 || moved[i - 1]! < axis);
}

export const shapes = (tf: Operations) =>
  ({
    reshape: ([x], shape) => tf.reshape(x!, shape),
    transpose: ([x], order, out) =>
      isView(x!.shape, order) ? tf.reshape(x!, out.shape) : tf.op("Transpose", [x!, tf.ints(...order)], out),
    broadcastTo: ([x], shape, out) => tf.op("BroadcastTo", [x!, tf.ints(...shape)], out),
    slice: ([x], { starts }, out) => tf.op("Slice", [x!, tf.ints(...starts), tf.ints(...out.shape)], out),
    pad([x], { low, high }, out) {
      const margins = tf.constant(
        "int32",
        [low.length, 2],
        low.flatMap((n, axis) => [n, high[axis]!]),
      );
      return tf.op("Pad", [x!, margins], out);
    },
    concat: (parts, { axis }, out) =>
      tf.op("ConcatV2", [...parts, tf.int(axis)], out, {
        N: parts.length,
        T: { type: DT[expectComputeDType("tfjs", out)] },
      }),
    iota: (_, { shape, axis }, out) => {
      const n = shape[axis]!;
      const line = tf.constant(
        "int32",
        shape.map((_, i) => (i === axis ? n : 1)),
        Array.from({ length: n }, (_, i) => i),
      );
      return tf.op("BroadcastTo", [line, tf.ints(...shape)], out);
    },
    constant: (_, { dtype, shape, data }) => tf.constant(dtype, shape, data),
  }) satisfies PartialLowerings;
