import type { PartialLowerings } from "../lowering.ts";
import { DT } from "./binding.ts";
import type { Operations } from "./operations.ts";

/** TensorFlow's number for Philox 4x32-10. */
const PHILOX = 1;

export const random = (tf: Operations) =>
  ({
    // TensorFlow's Philox is ours: its key is one uint64, and its counter two, of the words (block, counter[0], counter[1], 0).
    randomBits([key, counter], { shape }, out) {
      const wide = (words: typeof key, n: number) =>
        tf.op("Bitcast", [tf.reshape(words!, [n, 2])], { dtype: "int32", shape: [n] }, { type: { type: DT.uint64 } });
      const margins = tf.constant("int32", [1, 2], [1, 1]);
      const words = tf.op("Pad", [counter!, margins], { dtype: "int32", shape: [4] });
      return tf.op(
        "StatelessRandomUniformFullIntV2",
        [tf.ints(...shape), wide(key, 1), wide(words, 2), tf.int(PHILOX)],
        out,
        {
          dtype: { type: DT.int32 },
        },
      );
    },
  }) satisfies PartialLowerings;
