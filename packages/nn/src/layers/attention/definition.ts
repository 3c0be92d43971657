import type { Tensor } from "@finegrain/graph";
import { expectDivisible } from "../../config-error.ts";
import type { Context } from "../../context.ts";
import { type Defined, type Definition, define } from "../../definition/layer-definition.ts";
import type { Options } from "../../definition/option.ts";
import type { CachedLayer, Params, Weights } from "../../layer.ts";
import { type HeadsConfig, headWidth } from "./heads.ts";

/** Attention of a text to itself, some of whose tokens may be padding. */
export interface AttentionLayer<P extends Params = Params, K extends string = string> extends CachedLayer<P, K> {
  /**
   * x float32 [batch, time, features].
   *
   * @param isToken bool [batch, time]: false for padding, which is behind the tokens. Default: there is none. Causal attention never sees
   *   what is behind, and does not ask.
   */
  apply(w: Weights<P>, x: Tensor, context: Context, isToken?: Tensor): Tensor;
}

/** What is said of an attention layer beside what is said of every layer. */
export interface AttentionTraits {
  /** Whether it can attend in both directions, as a masked language model needs; else it is causal whatever the model. */
  readonly bothDirections: boolean;
}

/**
 * An attention layer: a function from `{ dModel, heads, ...options }` to the layer, which carries its definition.
 *
 * @throws FinegrainError when called: where `dModel` is not a multiple of `heads`, the layer is causal and should not be, or an
 *   option does not fit.
 */
export function defineAttention<
  const N extends string,
  const O extends Options,
  L extends AttentionLayer = AttentionLayer,
>(definition: Definition<HeadsConfig, N, O, L> & AttentionTraits): Defined<HeadsConfig, N, O, L, AttentionTraits> {
  const { name, bothDirections, check } = definition;
  return define<HeadsConfig, N, O, L, AttentionTraits>("attention layer", {
    ...definition,
    check(config, at) {
      expectDivisible(at.owner, "dModel", config.dModel, "heads", config.heads);
      const width = headWidth(config);
      if (config.rotary && width % 2 !== 0) at.refuse(`rotary positions need an even head width, not ${width}`);
      if (config.causal === false && !bothDirections)
        at.refuse(`a masked language model needs attention in both directions, and ${name} attention is causal`);
      check?.(config, at);
    },
  });
}
