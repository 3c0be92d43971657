import { f32, i32 } from "../cases.ts";
import { ShapeError } from "../errors.ts";
import { type CompositeOp, defineComposite, expectDtype } from "../op.ts";
import { add } from "../ops/add.ts";
import { einsum } from "../ops/einsum.ts";
import { iota } from "../ops/iota.ts";
import { mul } from "../ops/mul.ts";
import { reshape } from "../ops/reshape.ts";
import type { Tensor } from "../tensor.ts";
import { sameShape, typeName } from "../tensor.ts";
import { grouped, sharesHeads } from "./grouped-queries.ts";
import { sequenceMask } from "./sequence-mask.ts";
import { softmax } from "./softmax.ts";

/** A score of which a softmax leaves nothing. */
const HIDDEN = -1e9;

/**
 * Attention of new tokens over a cache that holds their own keys and values already: query i stands at
 * `position + i` and sees the keys up to there. Where there are fewer keys and values than queries, neighbouring heads share them.
 *
 *   q         float32  [batch, heads, new, dHead]
 *   k, v      float32  [batch, kvHeads, capacity, dHead]   heads a multiple of kvHeads
 *   position  int32    []          tokens that were cached before these, 0 or more; position + new <= capacity
 *   returns   float32  [batch, heads, new, dHead]
 */
export const cachedAttention: CompositeOp<[q: Tensor, k: Tensor, v: Tensor, position: Tensor], { scale: number }> =
  defineComposite({
    name: "cachedAttention",
    infer([q, k, v, position]) {
      expectDtype("cachedAttention", position, "int32");
      if (!sharesHeads(q, k) || !sameShape(k.shape, v.shape) || q.shape[2]! > k.shape[2]!)
        throw new ShapeError(
          `cachedAttention: q ${typeName(q)} does not fit the cached k ${typeName(k)} and v ${typeName(v)}`,
        );
      return { dtype: q.dtype, shape: q.shape };
    },
    decompose([q, k, v, position], { scale }) {
      const lengths = add(iota({ shape: [q.shape[2]!], axis: 0 }), add(position, 1));
      const weightsOf = (scores: Tensor) => {
        const weights = softmax(sequenceMask(scores, lengths, { value: HIDDEN }));
        return sequenceMask(weights, lengths, { value: 0 });
      };
      if (q.shape[1] === k.shape[1]) {
        const scores = einsum(mul(q, scale), k, "B H T D, B H S D -> B H T S");
        return einsum(weightsOf(scores), v, "B H T S, B H S D -> B H T D");
      }
      const scores = einsum(mul(grouped(q, k), scale), k, "B H G T D, B H S D -> B H G T S");
      return reshape(einsum(weightsOf(scores), v, "B H G T S, B H S D -> B H G T D"), q.shape);
    },
    cost([q, k]) {
      const [batch, heads, time, width] = q.shape as [number, number, number, number];
      const cached = batch * k.shape[2]! * width; // of a head
      return {
        flops: 4 * heads * cached * time,
        bytes: 8 * k.shape[1]! * cached + 8 * batch * heads * time * width,
      };
    },
    cases: [
      [f32(1, 2, 1, 3), f32(1, 2, 5, 3), f32(1, 2, 5, 3), i32([], 5), { scale: 0.5 }],
      [f32(2, 2, 3, 4), f32(2, 2, 6, 4), f32(2, 2, 6, 4), i32([], 4), { scale: 1 }],
      [f32(2, 6, 1, 4), f32(2, 2, 5, 4), f32(2, 2, 5, 4), i32([], 5), { scale: 0.5 }],
      [f32(1, 4, 3, 2), f32(1, 2, 6, 2), f32(1, 2, 6, 2), i32([], 4), { scale: 1 }],
    ],
    sample(draw) {
      const [batch, heads, time, width] = [draw.extent(1), draw.extent(1), draw.extent(1), draw.extent(1)];
      const spare = draw.integer(0, 3);
      const cache = f32(batch, heads, time + spare, width);
      return [f32(batch, heads * draw.integer(1, 3), time, width), cache, cache, i32([], spare + 1), { scale: 0.7 }];
    },
  });
