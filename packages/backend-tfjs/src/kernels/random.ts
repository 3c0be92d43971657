import { philox, size, uniformFromBits } from "@finegrain/graph";
import type { PartialLowerings } from "../lowering.ts";
import type { Kernels } from "./kernels.ts";

/** Philox needs products of 64 bits, which no kernel has: the host draws, in whose memory these engines live anyway. */
export function random(k: Kernels) {
  const words = (x: { dataSync(): ArrayLike<number> }): ArrayLike<number> => x.dataSync();
  return {
    randomBits: ([key, counter], { shape }, out) =>
      k.builder.step("bits", [key!, counter!], out, ([seed, at]) =>
        k.tf.engine().makeTensor(philox(words(seed!), words(at!), size(shape)), [...shape], "int32"),
      ),
    uniform: ([key, counter], { shape }, out) =>
      k.builder.step("uniform", [key!, counter!], out, ([seed, at]) => {
        const bits = philox(words(seed!), words(at!), size(shape));
        // A loop: `Float32Array.from` takes ten times as long, and these are millions a step.
        const numbers = new Float32Array(bits.length);
        for (let i = 0; i < bits.length; i++) numbers[i] = uniformFromBits(bits[i]!);
        return k.tf.engine().makeTensor(numbers, [...shape], "float32");
      }),
  } satisfies PartialLowerings;
}
