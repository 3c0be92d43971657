import { add, type Tensor } from "@finegrain/graph";
import { evaluation } from "../context.ts";
import type { CachedLayer, DecodedLayer, Layer, Params, Weights } from "../layer.ts";
import type { RecurrentBranchParams } from "./recurrence/recurrent-branch.ts";

export type FeedForwardBranchParams = {
  readonly feedForwardNorm: Params;
  readonly feedForward: Params;
  /** Absent where nothing is beside the feed-forward layer. */
  readonly recurrence?: RecurrentBranchParams;
};
export type BlockParams = FeedForwardBranchParams & {
  readonly attentionNorm: Params;
  readonly attention: Params;
};

/** What a block has after its attention. */
export interface FeedForwardParts {
  readonly norm: Layer;
  readonly feedForward: Layer | DecodedLayer;
  /** What is added to the feed-forward layer's output. */
  readonly recurrence?: CachedLayer<RecurrentBranchParams> | undefined;
}

/** feedForward(norm(x)), and beside it recurrence(x): a residual branch of tokens by themselves, which may remember earlier ones. */
export function feedForwardBranch(parts: FeedForwardParts): CachedLayer<FeedForwardBranchParams> {
  const { norm, feedForward, recurrence } = parts;
  const decoded = (w: Weights<Params>, x: Tensor): Tensor =>
    "decode" in feedForward ? feedForward.decode(w, x) : feedForward.apply(w, x, evaluation);
  return {
    params: {
      feedForwardNorm: norm.params,
      feedForward: feedForward.params,
      ...(recurrence ? { recurrence: recurrence.params } : {}),
    },
    apply(w, x, context) {
      const normal = norm.apply(w.feedForwardNorm, x, context);
      const { asDecoded = false } = context;
      const y = asDecoded ? decoded(w.feedForward, normal) : feedForward.apply(w.feedForward, normal, context);
      return recurrence ? add(y, recurrence.apply(w.recurrence!, x, context)) : y;
    },
    caches: (batch, capacity) => recurrence?.caches(batch, capacity) ?? {},
    decode(w, x, caches, position) {
      const y = decoded(w.feedForward, norm.apply(w.feedForwardNorm, x, evaluation));
      if (!recurrence) return { y, caches: {} };
      const beside = recurrence.decode(w.recurrence!, x, caches, position);
      return { y: add(y, beside.y), caches: beside.caches };
    },
  };
}

/**
 * A pre-norm Transformer block of two residual branches:
 *
 *   h = x + attention(norm(x));  y = h + feedForward(norm(h))
 */
export function block(parts: FeedForwardParts & { readonly attention: CachedLayer }): CachedLayer<BlockParams> {
  const { norm, attention } = parts;
  const branch = feedForwardBranch(parts);
  return {
    params: { attentionNorm: norm.params, attention: attention.params, ...branch.params },
    apply(w, x, context) {
      const h = add(x, attention.apply(w.attention, norm.apply(w.attentionNorm, x, context), context));
      return add(h, branch.apply(w, h, context));
    },
    caches: (batch, capacity) => ({ ...attention.caches(batch, capacity), ...branch.caches(batch, capacity) }),
    decode(w, x, caches, position) {
      const step = attention.decode(w.attention, norm.apply(w.attentionNorm, x, evaluation), caches, position);
      const h = add(x, step.y);
      const after = branch.decode(w, h, caches, position);
      return { y: add(h, after.y), caches: { ...step.caches, ...after.caches } };
    },
  };
}
