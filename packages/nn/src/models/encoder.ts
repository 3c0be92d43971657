import { equal, FinegrainError, not, slice, type Tensor } from "@finegrain/graph";
import type { Context } from "../context.ts";
import type { CachedLayer, Params, Weights } from "../layer.ts";
import { attentionBranch, feedForwardBranch } from "../layers/block.ts";
import { dropout } from "../layers/dropout.ts";
import type { EncoderConfig, ModelConfig } from "./config.ts";
import type { Ends } from "./ends.ts";
import { PADDING } from "./language-model.ts";
import { encoderAttentionOf, feedForwardOf, normOf, type OwnLayers, positionsOf, recurrenceOf } from "./parts.ts";

/*
 * What encoders have in common, whichever way their vectors reach the text.
 */

export type SourceConfig = ModelConfig & { readonly encoder: EncoderConfig };

/** Parts of the blocks of a config: those of the text, and those of the encoder, which are alike but for their attention. */
export function blockParts(config: SourceConfig, own: OwnLayers | undefined) {
  const parts = {
    norm: normOf(config, own),
    feedForward: feedForwardOf(config, own),
    recurrence: recurrenceOf(config, own),
  };
  const attention = encoderAttentionOf(config, config.encoder.attention, own);
  return {
    ...parts,
    /** Of a block of the encoder, in whose batch some tokens are padding: bool [batch, length]. */
    encoderBranches: (isToken?: Tensor): readonly CachedLayer[] => [
      attentionBranch(parts.norm, {
        params: attention.params,
        apply: (w: Weights<Params>, x: Tensor, context: Context) => attention.apply(w, x, context, isToken),
      }) as CachedLayer,
      feedForwardBranch(parts) as CachedLayer,
    ],
  };
}

/** Positions of a source, which has its own. */
export function sourcePositions(config: SourceConfig, own: OwnLayers | undefined) {
  const { maxLength } = config.encoder;
  const positions = positionsOf({ ...config, maxLength }, own);
  return {
    params: (Object.keys(positions.params).length > 0 ? { positions: positions.params } : {}) as {
      readonly positions?: Params;
    },
    /** @throws FinegrainError where the source is longer than the encoder's `maxLength`. */
    begin(
      ends: Ends,
      table: Parameters<Ends["embed"]>[0],
      places: Weights<Params> | undefined,
      source: Tensor,
      context: Context,
    ): Tensor {
      const length = source.shape[1]!;
      if (length > maxLength)
        throw new FinegrainError(`a source of ${length} tokens is longer than the encoder's maxLength of ${maxLength}`);
      return dropout(positions.apply(places ?? {}, ends.embed(table, source), context), context, {
        rate: config.dropout ?? 0,
      });
    },
  };
}

/** bool [batch, length]: where a source has a token. */
export const isTokenOf = (source: Tensor): Tensor => not(equal(source, PADDING));

/** Rows of a batch, [batch, source + time], as sources and texts. */
export function sourceAndText(rows: Tensor, source: number): readonly [source: Tensor, text: Tensor] {
  const [batch, all] = rows.shape as [number, number];
  if (all <= source)
    throw new FinegrainError(`rows of ${all} tokens have no text behind a source of ${source}, its padding included`);
  return [
    slice(rows, { starts: [0, 0], ends: [batch, source] }),
    slice(rows, { starts: [0, source], ends: [batch, all] }),
  ];
}
