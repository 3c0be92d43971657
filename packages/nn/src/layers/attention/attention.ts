import { expectDivisible } from "../../config-error.ts";
import { evaluation } from "../../context.ts";
import type { CachedLayer, Layer, Param, Params } from "../../layer.ts";
import { type DenseParams, dense } from "../projections/dense.ts";
import { locallyConnectedDense } from "../projections/locally-connected-dense.ts";
import {
  type LocallyConvolutionalDenseParams,
  locallyConvolutionalDense,
} from "../projections/locally-convolutional-dense.ts";
import { type LowRankDenseParams, lowRankDense } from "../projections/low-rank-dense.ts";
import { type MultiplicativeDenseParams, multiplicativeDense } from "../projections/multiplicative-dense.ts";
import {
  type MultiplicativeModularDenseParams,
  multiplicativeModularDense,
} from "../projections/multiplicative-modular-dense.ts";
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
 * @throws FinegrainError where `dModel` is not a multiple of `heads`.
 */
export function attention<P extends Params>(config: HeadsConfig, projection: Layer<P>): Attention<P> {
  expectDivisible("attention", "dModel", config.dModel, "heads", config.heads);
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

interface ModularConfig extends HeadsConfig {
  /** S: modules that the features are cut into. */
  readonly modules: number;
}

const square = ({ dModel }: HeadsConfig) => ({ dIn: dModel, dOut: dModel });

/** Dense projections. */
export const denseAttention = (config: HeadsConfig): Attention<DenseParams> => attention(config, dense(square(config)));

/** Two narrow matrices for every projection. Trax `LowRankCausalAttention`. */
export const lowRankAttention = (config: HeadsConfig & { readonly rank: number }): Attention<LowRankDenseParams> =>
  attention(config, lowRankDense({ ...square(config), rank: config.rank }));

/** Multiplicative projections. Jaszczur et al. 2021, 3.2; Trax `MultiplicativeCausalAttention`. */
export const multiplicativeAttention = (config: ModularConfig): Attention<MultiplicativeDenseParams> =>
  attention(config, multiplicativeDense({ ...square(config), modules: config.modules }));

/** Trax `MultiplicativeModularCausalAttention`. */
export const multiplicativeModularAttention = (config: ModularConfig): Attention<MultiplicativeModularDenseParams> =>
  attention(config, multiplicativeModularDense({ ...square(config), modules: config.modules }));

/** A small dense projection in every module, around `kernel` modules. Trax `ModularCausalAttention`. */
export const modularAttention = (
  config: ModularConfig & { readonly kernel?: number },
): Attention<{ kernel: Param; bias: Param }> =>
  attention(config, locallyConnectedDense({ ...square(config), modules: config.modules, kernel: config.kernel ?? 1 }));

/** One small dense projection for all modules, around `kernel` modules. Trax `ConvCausalAttention`. */
export const convolutionalAttention = (
  config: ModularConfig & { readonly kernel?: number },
): Attention<LocallyConvolutionalDenseParams> => {
  const { modules, kernel = 1 } = config;
  return attention(config, locallyConvolutionalDense({ ...square(config), modules, kernel, lengthKernel: 1 }));
};
