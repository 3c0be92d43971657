import { type Shape, size, type Tensor } from "@finegrain/graph";
import type { PartialLowerings } from "../lowering.ts";
import type { Value } from "../program-builder.ts";
import type { Operations } from "./operations.ts";
import type { MatMul } from "./products.ts";

const HIDDEN = -1e9;

export function attention(tf: Operations, matMul: MatMul) {
  /** 0 to `n` - 1, again and again. */
  const range = (n: number, shape: Shape) =>
    tf.constant(
      "int32",
      shape,
      Array.from({ length: size(shape) }, (_, i) => i % n),
    );

  /** 0 where a query sees a key, and so little where it does not that nothing is left of it. The same in every layer. */
  function mask(position: Value, time: number, sharing: number, capacity: number): Value {
    const shape = [sharing * time, capacity];
    const rows = [sharing * time, 1];
    const last = tf.once("AddV2", [range(time, rows), position], { dtype: "int32", shape: rows });
    const isSeen = tf.once("LessEqual", [range(capacity, [capacity]), last], { dtype: "bool", shape });
    const numbers = [0, HIDDEN].map((x) => tf.constant("float32", [], [x]));
    return tf.once("SelectV2", [isSeen, ...numbers], { dtype: "float32", shape });
  }

  return {
    cachedAttention([q, k, v, position]: Value[], { scale }: { scale: number }, out: Tensor): Value {
      const [batch, heads, time, width] = q!.shape as [number, number, number, number];
      const [, shared, capacity] = k!.shape as [number, number, number, number];
      const sharing = heads / shared; // queries of heads that share keys and values are rows of one product
      const query = sharing === 1 ? q! : tf.reshape(q!, [batch, shared, sharing * time, width]);
      const scores = { dtype: "float32", shape: [batch, shared, sharing * time, capacity] } as const;
      const scaled = tf.elementwise("Mul", [query, tf.constant("float32", [], [scale])], query);
      const hidden = mask(position!, time, sharing, capacity);
      const seen = tf.elementwise("AddV2", [matMul(scaled, k!, false, true), hidden], scores);
      const weights = tf.alongLast("Softmax", seen, [], scores, { last: [capacity] });
      return tf.reshape(matMul(weights, v!, false, false), out.shape);
    },
  } satisfies PartialLowerings;
}
