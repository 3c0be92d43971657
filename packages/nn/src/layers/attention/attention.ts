import { evaluation } from "../../context.ts";
import type { CachedLayer, Layer, Params } from "../../layer.ts";
import { attend, attendCached, type HeadsConfig, headCaches } from "./heads.ts";

export type AttentionParams<P extends Params> = {
  readonly query: P;
  readonly key: P;
  readonly value: P;
  readonly output: P;
};
type Attention<P extends Params> = CachedLayer<AttentionParams<P>, "keys" | "values">;

/**
 * Multi-head attention, causal unless the config says otherwise, with the projection that `project` makes in all four places:
 *
 *   y = concat_h(softmax(q_h k_hᵀ / √d_h) v_h) O,  q, k, v = x Q, x K, x V.  Vaswani et al. 2017, 3.2.
 *
 * Heads are contiguous slices of the features.
 */
export function attention<P extends Params>(config: HeadsConfig, projection: Layer<P>): Attention<P> {
  const { params } = projection;
  const project: typeof projection.apply = (w, x, context) => projection.apply(w, x, context);
  return {
    params: { query: params, key: params, value: params, output: params },
    ...(config.causal === false ? { notCausal: "attention in both directions sees later tokens" } : {}),
    apply(w, x, context) {
      const [query, key, value] = [w.query, w.key, w.value].map((part) => project(part, x, context));
      return project(w.output, attend(config, { query: query!, key: key!, value: value! }), context);
    },
    caches: (batch, capacity) => headCaches(config, batch, capacity),
    decode(w, x, caches, position) {
      const [query, key, value] = [w.query, w.key, w.value].map((part) => project(part, x, evaluation));
      const step = attendCached(config, { query: query!, key: key!, value: value! }, caches, position);
      return { y: project(w.output, step.y, evaluation), caches: step.caches };
    },
  };
}

/** The dimensions of a projection. */
export const square = ({ dModel }: HeadsConfig): { dIn: number; dOut: number } => ({ dIn: dModel, dOut: dModel });
