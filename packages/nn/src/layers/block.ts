import { add, type Tensor } from "@finegrain/graph";
import { evaluation } from "../context.ts";
import type { CachedLayer, DecodedLayer, Layer, Params, Weights } from "../layer.ts";

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
  const decoded = (w: Weights<Params>, x: Tensor): Tensor =>
    "decode" in feedForward ? feedForward.decode(w, x) : feedForward.apply(w, x, evaluation);
  return {
    params: {
      attentionNorm: norm.params,
      attention: attention.params,
      feedForwardNorm: norm.params,
      feedForward: feedForward.params,
    },
    apply(w, x, context) {
      const h = add(x, attention.apply(w.attention, norm.apply(w.attentionNorm, x, context), context));
      const normal = norm.apply(w.feedForwardNorm, h, context);
      const { asDecoded = false } = context;
      return add(h, asDecoded ? decoded(w.feedForward, normal) : feedForward.apply(w.feedForward, normal, context));
    },
    caches: (batch, capacity) => attention.caches(batch, capacity),
    decode(w, x, caches, position) {
      const step = attention.decode(w.attention, norm.apply(w.attentionNorm, x, evaluation), caches, position);
      const h = add(x, step.y);
      const y = decoded(w.feedForward, norm.apply(w.feedForwardNorm, h, evaluation));
      return { y: add(h, y), caches: step.caches };
    },
  };
}
