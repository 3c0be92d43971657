import type { Tensor } from "@finegrain/graph";
import { type Context, evaluation } from "../../context.ts";
import type { Layer, Params, Weights } from "../../layer.ts";
import type { AttentionLayer } from "./definition.ts";
import { attend, attendCached, type HeadDimensions, type HeadsConfig, headCaches } from "./heads.ts";

/** The four projections of attention: of tokens to queries, keys and values, and of what heads found to tokens. */
export interface Projections<P extends Params, O extends Params = P> {
  readonly query: Layer<P>;
  readonly key: Layer<P>;
  readonly value: Layer<P>;
  readonly output: Layer<O>;
}

export type AttentionParams<P extends Params, O extends Params = P> = {
  readonly query: P;
  readonly key: P;
  readonly value: P;
  readonly output: O;
};
type Attention<P extends Params, O extends Params> = AttentionLayer<AttentionParams<P, O>, "keys" | "values">;

/**
 * Multi-head attention, causal unless the config says otherwise, with these projections:
 *
 *   y = concat_h(softmax(q_h k_hᵀ / √d_h) v_h) O,  q, k, v = x Q, x K, x V.  Vaswani et al. 2017, 3.2.
 *
 * Heads are contiguous slices of the features.
 */
export function attention<P extends Params, O extends Params>(
  config: HeadsConfig,
  { query, key, value, output }: Projections<P, O>,
): Attention<P, O> {
  const project = (w: Weights<AttentionParams<P, O>>, x: Tensor, context: Context) => ({
    query: query.apply(w.query, x, context),
    key: key.apply(w.key, x, context),
    value: value.apply(w.value, x, context),
  });
  return {
    params: { query: query.params, key: key.params, value: value.params, output: output.params },
    ...(config.causal === false ? { notCausal: "attention in both directions sees later tokens" } : {}),
    apply: (w, x, context, isToken) =>
      output.apply(w.output, attend(config, project(w, x, context), context, isToken), context),
    caches: (batch, capacity) => headCaches(config, batch, capacity),
    decode(w, x, caches, position) {
      const step = attendCached(config, project(w, x, evaluation), caches, position);
      return { y: output.apply(w.output, step.y, evaluation), caches: step.caches };
    },
  };
}

/** The same kind of projection in all four places. */
export const alike = <P extends Params>(projection: Layer<P>): Projections<P> => ({
  query: projection,
  key: projection,
  value: projection,
  output: projection,
});

/** The dimensions of a projection. */
export const square = ({ dModel }: HeadDimensions): { dIn: number; dOut: number } => ({ dIn: dModel, dOut: dModel });
