import { add, type Tensor } from "@finegrain/graph";
import { evaluation } from "../context.ts";
import type { CachedLayer, DecodedLayer, Layer, Params } from "../layer.ts";

export type BlockParams = {
  readonly attentionNorm: Params;
  readonly attention: Params;
  readonly feedForwardNorm: Params;
  readonly feedForward: Params;
};

/**
 * A pre-norm Transformer block of two residual branches:
 *
 *   h = x + attention(norm(x));  y = h + feedForward(norm(h))
 */
export function block(parts: {
  readonly norm: Layer;
  readonly attention: CachedLayer;
  readonly feedForward: Layer | DecodedLayer;
}): CachedLayer<BlockParams> {
  const { norm, attention, feedForward } = parts;
  return {
    params: {
      attentionNorm: norm.params,
      attention: attention.params,
      feedForwardNorm: norm.params,
      feedForward: feedForward.params,
    },
    apply(w, x, context) {
      const h = add(x, attention.apply(w.attention, norm.apply(w.attentionNorm, x, context), context));
      return add(h, feedForward.apply(w.feedForward, norm.apply(w.feedForwardNorm, h, context), context));
    },
    caches: (batch, capacity) => attention.caches(batch, capacity),
    decode(w, x, caches, position) {
      const step = attention.decode(w.attention, norm.apply(w.attentionNorm, x, evaluation), caches, position);
      const h = add(x, step.y);
      const normal: Tensor = norm.apply(w.feedForwardNorm, h, evaluation);
      const y =
        "decode" in feedForward
          ? feedForward.decode(w.feedForward, normal)
          : feedForward.apply(w.feedForward, normal, evaluation);
      return { y: add(h, y), caches: step.caches };
    },
  };
}
