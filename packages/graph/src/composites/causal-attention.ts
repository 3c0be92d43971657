import { f32 } from "../cases.ts";
import { ShapeError } from "../errors.ts";
import { type CompositeOp, defineComposite, scalar } from "../op.ts";
import { add } from "../ops/add.ts";
import { einsum } from "../ops/einsum.ts";
import { iota } from "../ops/iota.ts";
import { lessEqual } from "../ops/less-equal.ts";
import { mul } from "../ops/mul.ts";
import { select } from "../ops/select.ts";
import type { Tensor } from "../tensor.ts";
import { sameShape, typeName } from "../tensor.ts";
import { softmax } from "./softmax.ts";

/**
 * Scaled dot-product attention in which a query sees the keys up to its own place. Vaswani et al. 2017, 3.2.1.
 *
 *   q, k, v  float32 [batch, heads, time, dHead]     returns the same
 */
export const causalAttention: CompositeOp<[q: Tensor, k: Tensor, v: Tensor], { scale: number }> = defineComposite({
  name: "causalAttention",
  infer([q, k, v]) {
    if (q.shape.length !== 4 || !sameShape(q.shape, k.shape) || !sameShape(q.shape, v.shape))
      throw new ShapeError(
        `causalAttention: q ${typeName(q)}, k ${typeName(k)} and v ${typeName(v)} are not of one shape [batch, heads, time, dHead]`,
      );
    return { dtype: q.dtype, shape: q.shape };
  },
  decompose([q, k, v], { scale }) {
    const shape = [q.shape[2]!, q.shape[2]!];
    const visible = lessEqual(iota({ shape, axis: 1 }), iota({ shape, axis: 0 }));
    // Added, and not selected: so its gradient is the scores' own, and costs nothing.
    const mask = select(visible, scalar(0), -1e9);
    const scores = add(einsum(mul(q, scale), k, "B H T D, B H S D -> B H T S"), mask);
    return einsum(softmax(scores), v, "B H T S, B H S D -> B H T D");
  },
  cost([q]) {
    const [batch, heads, time, width] = q.shape as [number, number, number, number];
    return { flops: 4 * batch * heads * time * time * width, bytes: 16 * batch * heads * time * width };
  },
  cases: [[f32(2, 2, 4, 3), f32(2, 2, 4, 3), f32(2, 2, 4, 3), { scale: 0.5 }]],
  sample(draw) {
    const shape = [draw.extent(1), draw.extent(1), draw.extent(1), draw.extent(1)];
    return [f32(...shape), f32(...shape), f32(...shape), { scale: 0.7 }];
  },
});
