import type { Shape, Tensor } from "@finegrain/graph";
import type { PartialLowerings } from "../lowering.ts";
import type { Value } from "../program-builder.ts";
import type { Operations } from "./operations.ts";
import type { MatMul } from "./products.ts";

const HIDDEN = -1e9;

export function attention(tf: Operations, matMul: MatMul) {
  const range = (n: number, shape: Shape) =>
    tf.constant(
      "int32",
      shape,
      Array.from({ length: n }, (_, i) => i),
    );

  /** 0 where a query sees a key, and so little where it does not that nothing is left of it. The same in every layer. */
  function mask(position: Value, time: number, capacity: number): Value {
    const shape = [time, capacity];
    const last = tf.once("AddV2", [range(time, [time, 1]), position], { dtype: "int32", shape: [time, 1] });
    const isSeen = tf.once("LessEqual", [range(capacity, [capacity]), last], { dtype: "bool", shape });
    const numbers = [0, HIDDEN].map((x) => tf.constant("float32", [], [x]));
    return tf.once("SelectV2", [isSeen, ...numbers], { dtype: "float32", shape });
  }

  return {
    cachedAttention([q, k, v, position]: Value[], { scale }: { scale: number }, out: Tensor): Value {
      const [batch, heads, time] = q!.shape as [number, number, number, number];
      const capacity = k!.shape[2]!;
      const scores = { dtype: "float32", shape: [batch, heads, time, capacity] } as const;
      const scaled = tf.elementwise("Mul", [q!, tf.constant("float32", [], [scale])], q!);
      const seen = tf.elementwise("AddV2", [matMul(scaled, k!, false, true), mask(position!, time, capacity)], scores);
      const weights = tf.alongLast("Softmax", seen, [], scores, { last: [capacity] });
      return tf.reshape(matMul(weights, v!, false, false), out.shape);
    },
  } satisfies PartialLowerings;
}
