import type { Tensor, TensorType } from "@finegrain/graph";
import { type Context, evaluation } from "../context.ts";
import type { CachedLayer, CacheTree, Params, Tree, Weights } from "../layer.ts";
import { type AttentionParams, alike } from "../layers/attention/attention.ts";
import { crossAttention, type Remembered } from "../layers/attention/cross-attention.ts";
import { attentionBranch, type BlockParams, feedForwardBranch, residual } from "../layers/block.ts";
import { type DenseParams, dense } from "../layers/projections/dense.ts";
import { checkConfig } from "./config.ts";
import { blockParts, isTokenOf, type SourceConfig, sourceAndText, sourcePositions } from "./encoder.ts";
import { type EndsParams, endsOf } from "./ends.ts";
import type { LanguageModel } from "./language-model.ts";
import { attentionOf, type OwnLayers } from "./parts.ts";
import { expectCausal } from "./scaling-lm.ts";

export type EncoderDecoderConfig = SourceConfig & { readonly encoder: { readonly type: "transformer" } };

export type EncoderDecoderParams = EndsParams & {
  readonly blocks: Readonly<Record<string, BlockParams & { readonly crossNorm: Params; readonly cross: Params }>>;
  readonly encoder: {
    readonly positions?: Params;
    readonly blocks: Readonly<Record<string, BlockParams>>;
    readonly norm: Params;
  };
};

/** What is kept of a source: keys and values of every block, and which of them are of tokens. */
interface Memory {
  readonly blocks: Readonly<Record<string, Remembered>>;
  /** int32 [batch, length]. */
  readonly source: Tensor;
}

/**
 * The Transformer of two parts: blocks of attention in both directions read a source, and causal blocks that also attend to what they
 * made of it write a text.
 *
 *   h = x + attention(norm(x));  h' = h + cross(norm(h), source);  y = h' + feedForward(norm(h'))
 *
 * Vaswani et al. 2017, with norms first; Trax `ConfigurableTransformer` without its shift of tokens. Every part may be sparse, as in a
 * {@link scalingLM}, but for the attention to the source.
 *
 * @throws FinegrainError where parts of the config do not fit.
 */
export function encoderDecoder(config: EncoderDecoderConfig, own?: OwnLayers): LanguageModel<EncoderDecoderParams> {
  checkConfig(config);
  const { dModel, dropout, heads, encoder } = config;
  const ends = endsOf(config, own);
  const parts = blockParts(config, own);
  expectCausal(config, parts.feedForward);
  const places = sourcePositions(config, own);
  const attention = attentionOf(config, own);
  const cross = crossAttention<DenseParams, DenseParams>(
    { dModel, heads, dropout: config.attentionDropout },
    alike(dense({ dIn: dModel, dOut: dModel })),
  );
  const names = (layers: number) => Array.from({ length: layers }, (_, i) => `${i}`);
  const each = <V>(layers: number, value: V) => Object.fromEntries(names(layers).map((name) => [name, value]));

  type CrossWeights = Weights<AttentionParams<DenseParams>>;
  type Look = (w: CrossWeights, x: Tensor, context: Context) => Tensor;
  /** A block of the text, which looks at the source as `look` says. */
  const textBlock = (look: Look): CachedLayer =>
    residual(
      [
        attentionBranch(parts.norm, attention),
        attentionBranch(parts.norm, { params: cross.params, apply: look as CachedLayer["apply"] }, "cross"),
        feedForwardBranch(parts),
      ] as readonly CachedLayer[], // whose weights are part of a block's
      dropout,
    );
  const described = textBlock(() => {
    throw new TypeError("a block that only says what its weights are");
  });
  const sourceBlock = (isToken?: Tensor) => residual(parts.encoderBranches(isToken), dropout);

  type W = Weights<EncoderDecoderParams>;
  const read = (w: W, source: Tensor, context: Context): Tensor => {
    const one = sourceBlock(isTokenOf(source));
    const start = places.begin(ends, w, w.encoder.positions, source, context);
    const x = names(encoder.layers).reduce((h, name) => one.apply(w.encoder.blocks[name]!, h, context), start);
    return parts.norm.apply(w.encoder.norm, x, context);
  };

  return {
    config,
    params: {
      ...ends.params,
      blocks: each(config.layers, described.params) as EncoderDecoderParams["blocks"], // of the three branches
      encoder: {
        ...places.params,
        blocks: each(encoder.layers, sourceBlock().params) as EncoderDecoderParams["encoder"]["blocks"],
        norm: parts.norm.params,
      },
    },
    logits(w, rows, context) {
      const [source, tokens] = sourceAndText(rows, encoder.maxLength);
      const memory = { keys: read(w, source, context), isToken: isTokenOf(source) };
      const one = textBlock((own, x) => cross.apply(own, x, memory, context));
      const start = ends.begin(w, tokens, context);
      const x = names(config.layers).reduce((h, name) => one.apply(w.blocks[name]!, h, context), start);
      return ends.logits(w, x, context);
    },
    source: {
      maxLength: encoder.maxLength,
      memory(batch, capacity): CacheTree {
        const kept: TensorType = { dtype: "float32", shape: [batch, heads, capacity, dModel / heads] };
        return {
          blocks: each(config.layers, { keys: kept, values: kept }),
          source: { dtype: "int32", shape: [batch, capacity] },
        };
      },
      encode(w, source): Tree<Tensor> {
        const keys = read(w, source, { ...evaluation, asDecoded: true });
        const blocks = names(config.layers).map((name): [string, Tree<Tensor>] => {
          const own = w.blocks[name]!.cross as CrossWeights;
          return [name, { ...cross.remember(own, { keys }) }];
        });
        return { blocks: Object.fromEntries(blocks), source };
      },
    },
    caches: (batch, capacity) => ({ blocks: each(config.layers, described.caches(batch, capacity)) }),
    decode(w, tokens, caches, position, memory, every) {
      const { blocks: kept, source } = memory as unknown as Memory; // as `encode` makes it
      const { blocks } = caches as { readonly blocks: Record<string, Record<string, Tensor>> }; // as `caches` describes it
      let x = ends.beginAt(w, tokens, position);
      const next = names(config.layers).map((name): [string, Readonly<Record<string, Tensor>>] => {
        const one = textBlock((own, h) => cross.decode(own, h, kept[name]!, isTokenOf(source)));
        const step = one.decode(w.blocks[name]!, x, blocks[name]!, position);
        x = step.y;
        return [name, step.caches];
      });
      return {
        logits: ends.decoded(w, x, every),
        caches: { blocks: Object.fromEntries(next) },
      };
    },
  };
}
