import { add, dynamicSlice, reshape, type Tensor, type TensorType } from "@finegrain/graph";
import { type Context, evaluation } from "../context.ts";
import type { CachedLayer, CacheTree, Params, Tree, Weights } from "../layer.ts";
import { attentionBranch, feedForwardBranch } from "../layers/block.ts";
import { joinSequences, lengthsOf, secondOfJoined } from "../layers/join-sequences.ts";
import { type DenseParams, dense } from "../layers/projections/dense.ts";
import type { Streams } from "../layers/reversible.ts";
import { meanOf, type ReversibleStackParams, reversibleStack } from "../layers/reversible-stack.ts";
import { checkConfig } from "./config.ts";
import { blockParts, isTokenOf, type SourceConfig, sourceAndText, sourcePositions } from "./encoder.ts";
import { type EndsParams, endsOf } from "./ends.ts";
import type { LanguageModel } from "./language-model.ts";
import { attentionOf, type OwnLayers } from "./parts.ts";
import { expectCausal } from "./scaling-lm.ts";

export type TerraformerConfig = SourceConfig & { readonly encoder: { readonly type: "terraformer" } };

export type TerraformerParams = EndsParams &
  ReversibleStackParams & {
    readonly encoder: ReversibleStackParams & {
      readonly positions?: Params;
      /** What makes one stream of the encoder's two; absent where both are handed on. */
      readonly joined?: { readonly mean: DenseParams; readonly norm: Params };
    };
  };

/** What is kept of a source: its vectors, of one stream or of both, [batch, length, dModel], and how many are of tokens, int32 [batch]. */
interface Memory {
  readonly streams: Readonly<Record<string, Tensor>>;
  readonly lengths: Tensor;
}

/**
 * Terraformer: reversible blocks read a source, and reversible blocks of several attention layers and a feed-forward write a text behind
 * it, in one sequence of both: causal attention sees the source as the text's beginning. Every part may be sparse, as in a
 * {@link scalingLM}. Padding of the source is dropped.
 *
 * Jaszczur et al. 2021, section 4; Trax `ConfigurableTerraformer` without its shift of tokens. The streams begin alike and end as their
 * mean. In training the memory of a step does not grow with the number of blocks.
 *
 * @throws FinegrainError where parts of the config do not fit.
 */
export function terraformer(config: TerraformerConfig, own?: OwnLayers): LanguageModel<TerraformerParams> {
  checkConfig(config);
  const { dModel, dropout, encoder } = config;
  const { bothStreams = false, textAttentions = 2, forgetEvery } = encoder;
  const ends = endsOf(config, own);
  const parts = blockParts(config, own);
  expectCausal(config, parts.feedForward);
  const places = sourcePositions(config, own);
  const attention = attentionOf(config, own);
  const branches = [
    ...Array.from({ length: textAttentions }, (_, i) =>
      attentionBranch(parts.norm, attention, i === 0 ? "attention" : `attention${i + 1}`),
    ),
    feedForwardBranch(parts),
  ] as readonly CachedLayer[]; // whose weights are part of a block's
  const text = reversibleStack(branches, { dModel, layers: config.layers, forgetEvery, dropout });
  const sourceStack = (isToken?: Tensor) =>
    reversibleStack(parts.encoderBranches(isToken), { dModel, layers: encoder.layers, forgetEvery, dropout });
  const mean = dense({ dIn: dModel, dOut: dModel });

  type W = Weights<TerraformerParams>;
  /** A source's vectors, of one stream or both. */
  const read = (w: W, source: Tensor, context: Context): readonly Tensor[] => {
    const start = places.begin(ends, w, w.encoder.positions, source, context);
    const streams = sourceStack(isTokenOf(source)).apply(w.encoder, [start, start], context);
    if (bothStreams) return streams;
    const { joined } = w.encoder;
    return [parts.norm.apply(joined!.norm, mean.apply(joined!.mean, meanOf(streams), context), context)];
  };
  const two = (streams: readonly Tensor[]): Streams => [streams[0]!, streams.at(-1)!];

  return {
    config,
    params: {
      ...ends.params,
      ...text.params,
      encoder: {
        ...places.params,
        ...sourceStack().params,
        ...(bothStreams ? {} : { joined: { mean: mean.params, norm: parts.norm.params } }),
      },
    },
    logits(w, rows, context) {
      const [source, tokens] = sourceAndText(rows, encoder.maxLength);
      const lengths = lengthsOf(isTokenOf(source));
      const x = ends.begin(w, tokens, context);
      const both = read(w, source, context).map((stream) => joinSequences(stream, x, lengths));
      const last = meanOf(text.apply(w, two(both), context));
      return ends.logits(w, secondOfJoined(last, lengths, tokens.shape[1]!), context);
    },
    source: {
      maxLength: encoder.maxLength,
      memory(batch, capacity): CacheTree {
        const stream: TensorType = { dtype: "float32", shape: [batch, capacity, dModel] };
        return {
          streams: bothStreams ? { "0": stream, "1": stream } : { "0": stream },
          lengths: { dtype: "int32", shape: [batch] },
        };
      },
      encode: (w, source) => ({
        streams: Object.fromEntries(
          read(w, source, { ...evaluation, asDecoded: true }).map((stream, i) => [`${i}`, stream]),
        ),
        lengths: lengthsOf(isTokenOf(source)),
      }),
      read(w, memory, caches, start, count) {
        const { streams } = memory as unknown as Memory; // as `encode` makes it
        const next = Object.values(streams).map((stream) => dynamicSlice(stream, start, { axis: 1, length: count }));
        return { caches: text.decode(w, two(next), caches as never, start).caches }; // the tree that `caches` describes
      },
    },
    caches: (batch, capacity, source = 0) => text.caches(batch, capacity + source),
    decode(w, tokens, caches, position, memory, every) {
      const { lengths } = memory as unknown as Memory; // as `encode` makes it
      const x = ends.beginAt(w, tokens, position);
      const behind = add(position, reshape(lengths, position.shape));
      const step = text.decode(w, [x, x], caches as never, behind); // the tree that `caches` describes
      return {
        logits: ends.decoded(w, meanOf(step.streams), every),
        caches: step.caches as Tree<Tensor>,
      };
    },
  };
}
