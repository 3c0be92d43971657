import { FinegrainError, reshape, slice, type Tensor } from "@finegrain/graph";
import { type Context, evaluation } from "../context.ts";
import type { Params, Weights } from "../layer.ts";
import { dropout } from "../layers/dropout.ts";
import { embedding } from "../layers/embedding.ts";
import { type MaskedHeadParams, maskedHead } from "../layers/masked-head.ts";
import type { ModelConfig } from "./config.ts";
import { lossOf, normOf, type OwnLayers, positionsOf } from "./parts.ts";

export type EndsParams = {
  readonly embedding: Params;
  /** Absent where positions have no parameters. */
  readonly positions?: Params;
  readonly norm: Params;
  /** Of a masked language model. */
  readonly head?: MaskedHeadParams;
  /** Absent where its weights are the embedding's. */
  readonly loss?: Params;
};

/** What stands before the blocks of a model, and behind them. */
export interface Ends {
  readonly params: EndsParams;
  /** Tokens as vectors, int32 [batch, time] -> float32 [batch, time, dModel], without their places. */
  embed(w: Weights<EndsParams>, tokens: Tensor): Tensor;
  /**
   * Vectors of all tokens of a text, with their places.
   * @throws FinegrainError where `time` is more than the model's `maxLength`, here and below.
   */
  begin(w: Weights<EndsParams>, tokens: Tensor, context: Context): Tensor;
  /** Vectors of the next tokens, the first of which is at `position`, int32 []. */
  beginAt(w: Weights<EndsParams>, tokens: Tensor, position: Tensor): Tensor;
  /** float32 [batch, time, dModel] -> [batch, time, vocabulary]. */
  logits(w: Weights<EndsParams>, x: Tensor, context: Context): Tensor;
  /** Logits behind the last token, of an evaluation: [batch, vocabulary]; or behind `every` one, [batch, time, vocabulary]. */
  decoded(w: Weights<EndsParams>, x: Tensor, every: boolean | undefined): Tensor;
}

/**
 * The embedding, positions, last norm and loss layer of a config.
 * @throws FinegrainError where there is no such layer, or an option does not fit.
 */
export function endsOf(config: ModelConfig, own: OwnLayers | undefined): Ends {
  const { vocabulary, dModel, maxLength } = config;
  const isMasked = config.objective === "masked";
  const loss = lossOf(config, own);
  // Tied, it makes the logits too, which are to begin at about 1.
  const std = loss.tied ? dModel ** -0.5 : 1;
  const table = embedding({ vocabulary: isMasked ? vocabulary + 1 : vocabulary, dModel, std });
  const positions = positionsOf(config, own);
  const norm = normOf(config, own);
  const head = isMasked ? maskedHead({ dModel, norm }) : undefined;

  const embed: Ends["embed"] = (w, tokens) =>
    table.apply(w.embedding as Weights<typeof table.params>, tokens, evaluation);
  const embedText: Ends["embed"] = (w, tokens) => {
    if (tokens.shape[1]! > maxLength)
      throw new FinegrainError(`${tokens.shape[1]} tokens are more than the model's maxLength of ${maxLength}`);
    return embed(w, tokens);
  };
  const logits: Ends["logits"] = (w, x, context) => {
    const features = norm.apply(w.norm, x, context);
    const behind = head ? head.apply(w.head!, features, context) : features;
    return loss.apply(loss.tied ? w.embedding : w.loss!, behind, context);
  };
  return {
    params: {
      embedding: table.params,
      ...(Object.keys(positions.params).length > 0 ? { positions: positions.params } : {}),
      norm: norm.params,
      ...(head ? { head: head.params } : {}),
      ...(loss.tied ? {} : { loss: loss.params }),
    },
    embed,
    begin: (w, tokens, context) =>
      dropout(positions.apply(w.positions ?? {}, embedText(w, tokens), context), context, {
        rate: config.dropout ?? 0,
      }),
    beginAt: (w, tokens, position) => positions.decode(w.positions ?? {}, embedText(w, tokens), position),
    logits,
    decoded(w, x, every) {
      if (every) return logits(w, x, evaluation);
      const [batch, time] = x.shape as [number, number];
      const last = slice(x, { starts: [0, time - 1, 0], ends: [batch, time, dModel] });
      return reshape(logits(w, last, evaluation), [batch, vocabulary]);
    },
  };
}
