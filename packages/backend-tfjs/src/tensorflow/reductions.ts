import type { ReduceAttrs, Tensor } from "@finegrain/graph";
import type { PartialLowerings } from "../lowering.ts";
import type { Value } from "../program-builder.ts";
import { DT } from "./binding.ts";
import type { Operations } from "./operations.ts";

export function reductions(tf: Operations) {
  const reduce =
    (name: string) =>
    ([x]: Value[], { axes, keepDims = false }: ReduceAttrs, out: Tensor): Value => {
      const attributes = { keep_dims: keepDims };
      if (axes.length === 1 && axes[0] === x!.shape.length - 1)
        return tf.alongLast(name, x!, [tf.ints(-1)], out, { last: keepDims ? [1] : [], attributes });
      return tf.op(name, [x!, tf.ints(...axes)], out, attributes);
    };
  return {
    reduceSum: reduce("Sum"),
    reduceMax: reduce("Max"),
    mean: reduce("Mean"),
    argMax: ([x], _, out) =>
      tf.alongLast("ArgMax", x!, [tf.int(-1)], out, { last: [], attributes: { output_type: { type: DT.int32 } } }),
    topK: ([x], { k }, out) => tf.alongLast("TopKV2", x!, [tf.int(k)], out, { last: [k], index: 1 }),
    // Of a single entry it is exactly 1, and TensorFlow's is not.
    softmax: ([x], _, out) =>
      out.shape.at(-1) === 1
        ? tf.op("Fill", [tf.ints(...out.shape), tf.constant("float32", [], [1])], out)
        : tf.alongLast("Softmax", x!, [], out, { last: out.shape.slice(-1) }),
    logSoftmax: ([x], _, out) => tf.alongLast("LogSoftmax", x!, [], out, { last: out.shape.slice(-1) }),
  } satisfies PartialLowerings;
}
