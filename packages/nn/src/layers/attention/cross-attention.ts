import type { Tensor } from "@finegrain/graph";
import { type Context, evaluation } from "../../context.ts";
import type { Params, Weights } from "../../layer.ts";
import { dropout } from "../dropout.ts";
import { attendHeads, hiding, overHeads } from "./attend-heads.ts";
import type { AttentionParams, Projections } from "./attention.ts";
import { type HeadDimensions, headWidth, join, split } from "./heads.ts";

/** What is attended to. */
export interface Memory {
  /** float32 [batch, length, dModel]: what keys are made of. */
  readonly keys: Tensor;
  /** float32 [batch, length, dModel]: what values are made of. Default: what keys are. */
  readonly values?: Tensor;
  /** bool [batch, length]: false where there is nothing to attend to. Default: there is everywhere. */
  readonly isToken?: Tensor;
}

/** Keys and values of a memory, [batch, heads, length, width], which stay the same while tokens are decoded. */
export interface Remembered {
  readonly keys: Tensor;
  readonly values: Tensor;
}

/** Attention of tokens to another sequence. */
export interface CrossAttention<P extends Params> {
  readonly params: P;
  /** x float32 [batch, time, dModel]. */
  apply(w: Weights<P>, x: Tensor, memory: Memory, context: Context): Tensor;
  /** What is computed of a memory only once. */
  remember(w: Weights<P>, memory: Memory): Remembered;
  /** New tokens, in evaluation: equal to `apply`. */
  decode(w: Weights<P>, x: Tensor, remembered: Remembered, isToken?: Tensor): Tensor;
}

/**
 * Multi-head attention to the tokens of another sequence, or in both directions to those of the own one that are no padding:
 *
 *   y = concat_h(softmax(q_h k_hᵀ / √d_h) v_h) O,  q = x Q,  k, v = memory K, memory V.  Vaswani et al. 2017, 3.2.3.
 */
export function crossAttention<P extends Params, O extends Params>(
  config: HeadDimensions & { readonly dropout?: number | undefined },
  { query, key, value, output }: Projections<P, O>,
): CrossAttention<AttentionParams<P, O>> {
  const width = headWidth(config);
  type W = Weights<AttentionParams<P, O>>;
  const remember = (w: W, { keys, values = keys }: Memory, context: Context): Remembered => ({
    keys: split(key.apply(w.key, keys, context), width),
    values: split(value.apply(w.value, values, context), width),
  });
  const attend = (w: W, x: Tensor, { keys, values }: Remembered, isToken: Tensor | undefined, context: Context) => {
    const heads = { query: split(query.apply(w.query, x, context), width), key: keys, value: values };
    const found = attendHeads(heads, width ** -0.5, {
      ...(isToken && { bias: hiding(overHeads(isToken)) }),
      drop: (weights) => dropout(weights, context, { rate: config.dropout ?? 0 }),
    });
    return output.apply(w.output, join(found), context);
  };
  return {
    params: { query: query.params, key: key.params, value: value.params, output: output.params },
    apply: (w, x, memory, context) => attend(w, x, remember(w, memory, context), memory.isToken, context),
    remember: (w, memory) => remember(w, memory, evaluation),
    decode: (w, x, remembered, isToken) => attend(w, x, remembered, isToken, evaluation),
  };
}
