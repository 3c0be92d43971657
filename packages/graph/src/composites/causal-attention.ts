import { f32 } from "../cases.ts";
import { ShapeError } from "../errors.ts";
import { type CompositeOp, defineComposite, scalar } from "../op.ts";
import { add } from "../ops/add.ts";
import { einsum } from "../ops/einsum.ts";
import { iota } from "../ops/iota.ts";
import { lessEqual } from "../ops/less-equal.ts";
import { mul } from "../ops/mul.ts";
import { reshape } from "../ops/reshape.ts";
import { select } from "../ops/select.ts";
import type { Tensor } from "../tensor.ts";
import { sameShape, typeName } from "../tensor.ts";
import { grouped, sharesHeads } from "./grouped-queries.ts";
import { softmax } from "./softmax.ts";

/**
 * Scaled dot-product attention in which a query sees the keys up to its own place. Vaswani et al. 2017, 3.2.1.
 * Where there are fewer keys and values than queries, neighbouring heads share them: Ainslie et al. 2023, "GQA".
 *
 *   q        float32 [batch, heads, time, dHead]     returns the same
 *   k, v     float32 [batch, kvHeads, time, dHead]   heads a multiple of kvHeads
 */
export const causalAttention: CompositeOp<[q: Tensor, k: Tensor, v: Tensor], { scale: number }> = defineComposite({
  name: "causalAttention",
  infer([q, k, v]) {
    if (!sharesHeads(q, k) || q.shape[2] !== k.shape[2] || !sameShape(k.shape, v.shape))
      throw new ShapeError(
        `causalAttention: q ${typeName(q)}, k ${typeName(k)} and v ${typeName(v)} are not [batch, heads, time, dHead], with as many heads of k and of v as share those of q`,
      );
    return { dtype: q.dtype, shape: q.shape };
  },
  decompose([q, k, v], { scale }) {
    const shape = [q.shape[2]!, q.shape[2]!];
    const visible = lessEqual(iota({ shape, axis: 1 }), iota({ shape, axis: 0 }));
    // Added, and not selected: so its gradient is the scores' own, and costs nothing.
    const mask = select(visible, scalar(0), -1e9);
    if (q.shape[1] === k.shape[1]) {
      const scores = add(einsum(mul(q, scale), k, "B H T D, B H S D -> B H T S"), mask);
      return einsum(softmax(scores), v, "B H T S, B H S D -> B H T D");
    }
    const scores = add(einsum(mul(grouped(q, k), scale), k, "B H G T D, B H S D -> B H G T S"), mask);
    return reshape(einsum(softmax(scores), v, "B H G T S, B H S D -> B H G T D"), q.shape);
  },
  cost([q, k]) {
    const [batch, heads, time, width] = q.shape as [number, number, number, number];
    return {
      flops: 4 * batch * heads * time * time * width,
      bytes: 8 * batch * (heads + k.shape[1]!) * time * width,
    };
  },
  cases: [
    [f32(2, 2, 4, 3), f32(2, 2, 4, 3), f32(2, 2, 4, 3), { scale: 0.5 }],
    [f32(2, 6, 4, 3), f32(2, 2, 4, 3), f32(2, 2, 4, 3), { scale: 0.5 }],
  ],
  sample(draw) {
    const [batch, heads, time, width] = [draw.extent(1), draw.extent(1), draw.extent(1), draw.extent(1)];
    const shared = f32(batch, heads, time, width);
    return [f32(batch, heads * draw.integer(1, 3), time, width), shared, shared, { scale: 0.7 }];
  },
});
