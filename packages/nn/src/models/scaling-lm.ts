import { FinegrainError, reshape, slice, type Tensor, type TensorType } from "@finegrain/graph";
import { type Context, evaluation } from "../context.ts";
import type { CacheTree, Layer, Params, Tree, Weights } from "../layer.ts";
import { type BlockParams, block } from "../layers/block.ts";
import { embedding } from "../layers/embedding.ts";
import { type MaskedHeadParams, maskedHead } from "../layers/masked-head.ts";
import { checkConfig, type ModelConfig } from "./config.ts";
import type { LanguageModel } from "./language-model.ts";
import { withLora } from "./lora.ts";
import {
  attentionOf,
  type ConfigWith,
  feedForwardOf,
  lossOf,
  normOf,
  type OwnLayers,
  positionsOf,
  recurrenceOf,
} from "./parts.ts";

export type LanguageModelParams = {
  readonly embedding: Params;
  /** Absent where positions have no parameters. */
  readonly positions?: Params;
  /** Blocks by number: "0", "1", ... */
  readonly blocks: Readonly<Record<string, BlockParams>>;
  readonly norm: Params;
  /** Of a masked language model. */
  readonly head?: MaskedHeadParams;
  /** Absent where its weights are the embedding's. */
  readonly loss?: Params;
};

/**
 * The Scaling Transformer as a language model: pre-norm blocks in which every part may be sparse.
 *
 * Jaszczur et al. 2021; Trax `ConfigurableTransformerLM` without its shift of tokens. Each of `feedForward`, `attention`
 * and `loss` of the config turns one sparse part on; without them it is the dense baseline. With the objective "masked" it is
 * BERT's encoder instead, with the token `vocabulary` for what is hidden.
 *
 * @param own layers that do not come with the package, which the config may choose by their names.
 * @throws FinegrainError where parts of the config do not fit.
 */
export function scalingLM<const O extends OwnLayers = Record<never, never>>(
  given: ConfigWith<O>,
  own?: O,
): LanguageModel<LanguageModelParams> {
  const config = given as ModelConfig; // own layers are known by the names in `own`, which each part looks up
  checkConfig(config);
  const model = wholeModel(config, own);
  // With more parameters below those of its blocks, whose types say nothing of what is in them.
  return config.lora ? (withLora(model, config.lora) as LanguageModel<LanguageModelParams>) : model;
}

/** The model whose weights are all trained. */
function wholeModel(config: ModelConfig, own: OwnLayers | undefined): LanguageModel<LanguageModelParams> {
  const { vocabulary, dModel, layers, maxLength } = config;
  const isMasked = config.objective === "masked";
  const loss = lossOf(config, own);
  // Tied, it makes the logits too, which are to begin at about 1.
  const std = loss.tied ? dModel ** -0.5 : 1;
  const table = embedding({ vocabulary: isMasked ? vocabulary + 1 : vocabulary, dModel, std });
  const positions = positionsOf(config, own);
  const parts = {
    norm: normOf(config, own),
    attention: attentionOf(config, own),
    feedForward: feedForwardOf(config, own),
    recurrence: recurrenceOf(config, own),
  };
  if (!isMasked) expectCausal(config, parts.feedForward);
  const one = block(parts);
  const names = Array.from({ length: layers }, (_, i) => `${i}`);
  const head = isMasked ? maskedHead({ dModel, norm: parts.norm }) : undefined;

  type W = Weights<LanguageModelParams>;
  const embed = (w: W, tokens: Tensor): Tensor => {
    if (tokens.shape[1]! > maxLength)
      throw new FinegrainError(`${tokens.shape[1]} tokens are more than the model's maxLength of ${maxLength}`);
    return table.apply(w.embedding as Weights<typeof table.params>, tokens, evaluation);
  };

  const logitsOf = (w: W, features: Tensor, context: Context): Tensor =>
    loss.apply(loss.tied ? w.embedding : w.loss!, features, context);

  return {
    config,
    params: {
      embedding: table.params,
      ...(Object.keys(positions.params).length > 0 ? { positions: positions.params } : {}),
      blocks: Object.fromEntries(names.map((name) => [name, one.params])),
      norm: parts.norm.params,
      ...(head ? { head: head.params } : {}),
      ...(loss.tied ? {} : { loss: loss.params }),
    },
    logits(w, tokens, context) {
      const start = embed(w, tokens);
      const placed = positions.apply(w.positions ?? {}, start, context);
      const x = names.reduce((h, name) => one.apply(w.blocks[name]!, h, context), placed);
      const features = parts.norm.apply(w.norm, x, context);
      return logitsOf(w, head ? head.apply(w.head!, features, context) : features, context);
    },
    caches: (batch, capacity): CacheTree => ({
      blocks: Object.fromEntries(names.map((name) => [name, one.caches(batch, capacity)])) as Tree<TensorType>,
    }),
    decode(w, tokens, caches, position) {
      if (isMasked) throw new FinegrainError("a masked language model has no decode: it sees tokens on both sides");
      const start = embed(w, tokens);
      let x = positions.decode(w.positions ?? {}, start, position);
      // The tree is the one that `caches` describes.
      const { blocks } = caches as { readonly blocks: Record<string, Record<string, Tensor>> };
      const next: Record<string, Readonly<Record<string, Tensor>>> = {};
      for (const name of names) {
        const step = one.decode(w.blocks[name]!, x, blocks[name]!, position);
        x = step.y;
        next[name] = step.caches;
      }
      const [batch, time] = tokens.shape as [number, number];
      const last = slice(x, { starts: [0, time - 1, 0], ends: [batch, time, dModel] });
      const logits = logitsOf(w, parts.norm.apply(w.norm, last, evaluation), evaluation);
      return { logits: reshape(logits, [batch, vocabulary]), caches: { blocks: next } };
    },
  };
}

/** @throws FinegrainError where a token's output depends on later ones, or cannot be decoded. */
function expectCausal({ feedForward }: ModelConfig, { notCausal, noDecode }: Layer): void {
  const reason = notCausal ?? noDecode;
  if (reason !== undefined)
    throw new FinegrainError(
      `model config: the feed-forward layer ${feedForward?.type} with these options cannot be in a causal language model: ${reason}`,
    );
}
