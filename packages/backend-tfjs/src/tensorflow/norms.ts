import type { Tensor } from "@finegrain/graph";
import type { PartialLowerings } from "../lowering.ts";
import type { Value } from "../program-builder.ts";
import type { Operations } from "./operations.ts";

/** In fewer operations than their decompositions: TensorFlow has the reciprocal of a root, and the square of a difference. */
export function norms(tf: Operations) {
  const number = (x: number) => tf.constant("float32", [], [x]);
  const one = (x: Value) => ({ dtype: x.dtype, shape: [...x.shape.slice(0, -1), 1] });
  const mean = (x: Value) =>
    tf.alongLast("Mean", x, [tf.ints(-1)], one(x), { last: [1], attributes: { keep_dims: true } });
  /** x over the root of its mean square. */
  const normal = (x: Value, epsilon: number): Value => {
    const square = mean(tf.elementwise("Square", [x], x));
    const rate = tf.elementwise("Rsqrt", [tf.elementwise("AddV2", [square, number(epsilon)], square)], square);
    return tf.elementwise("Mul", [x, rate], x);
  };
  const by = (name: string, x: Value, y: Value, out: Tensor) => tf.elementwise(name, [x, y], out);
  return {
    layerNorm([x, scale, bias], { epsilon }, out) {
      const centred = by("Sub", x!, mean(x!), out);
      return by("AddV2", by("Mul", normal(centred, epsilon), scale!, out), bias!, out);
    },
    rmsNorm: ([x, scale], { epsilon }, out) => by("Mul", normal(x!, epsilon), scale!, out),
  } satisfies PartialLowerings;
}
