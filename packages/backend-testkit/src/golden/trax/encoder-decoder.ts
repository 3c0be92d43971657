import { concat, scalar, slice, type Tensor, type TensorType } from "@finegrain/graph";
import {
  type EncoderDecoderConfig,
  type LanguageModel,
  mapTree,
  modelOf,
  type Params,
  type TerraformerConfig,
  type Tree,
  type Weights,
} from "@finegrain/nn";
import type { Arguments } from "../arguments.ts";
import { type Given, numbered, under, type WeightSource, zeros } from "../given.ts";
import { type TraxAttention, traxAttention } from "./attention.ts";
import {
  type CommonConfig,
  commonConfig,
  expectNoneLeft,
  feedForwardBranchWeights,
  lossWeights,
  namedAttention,
  norm,
} from "./language-model.ts";
import { shiftRight } from "./layers.ts";
import { attentionWeights, denseWeights, fixedBaseWeights, selfWeights } from "./weights.ts";

interface SourceCase {
  readonly model: LanguageModel;
  readonly w: Weights<Params>;
}

/** Attention of the encoder, which may be in both directions. */
function encoderAttention(source: string, options: Arguments, heads: number): TraxAttention {
  if (source === "Attention") return { config: { type: "dense" }, weights: (own) => ({ ...attentionWeights(own) }) };
  if (source === "SelfAttention")
    return { config: { type: "dense", bias: "none" }, weights: (own) => ({ ...selfWeights(own) }) };
  return traxAttention(source, options, heads);
}

/** By Trax's `pos_type`. */
function positionsOf(options: Arguments) {
  return options.oneOf("pos_type", ["", "fixed-base"], "") === "fixed-base"
    ? {
        config: "fixed-base" as const,
        weights: (source: WeightSource) => ({ ...fixedBaseWeights(under(source, "."), 4, 8) }),
      }
    : { config: "learned" as const, weights: (source: WeightSource) => ({ table: source.take("") }) };
}

interface Parts {
  readonly common: CommonConfig;
  readonly source: WeightSource;
  readonly encoder: TraxAttention;
  readonly decoder: TraxAttention;
}

/** A block of the encoder, or of a decoder that attends to it. */
const block = ({ common, source }: Parts, attention: TraxAttention, name: string, looks = false) => ({
  attentionNorm: norm(under(source, `${name}.attention_norm.`)),
  attention: attention.weights(under(source, `${name}.attention.`)),
  ...(looks
    ? {
        crossNorm: norm(under(source, `${name}.cross_norm.`)),
        cross: { ...attentionWeights(under(source, `${name}.cross.`)) },
      }
    : {}),
  ...feedForwardBranchWeights(common, under(source, `${name}.`)),
});

/** A block of several attention layers. */
function wideBlock({ common, source, decoder }: Parts, name: string, attentions: number): Weights<Params> {
  const own = Array.from({ length: attentions }, (_, i) => {
    const called = i === 0 ? "attention" : `attention${i + 1}`;
    return {
      [`${called}Norm`]: norm(under(source, `${name}.attention_norm${i}.`)),
      [called]: decoder.weights(under(source, `${name}.attention${i}.`)),
    };
  });
  return Object.assign({}, ...own, feedForwardBranchWeights(common, under(source, `${name}.`))) as Weights<Params>;
}

const blocks = (count: number, of: (i: number) => Weights<Params>) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`${i}`, of(i)]));

/** Trax `ConfigurableTerraformer`, or its `ConfigurableTransformer`, as our model. */
function sourceModel(given: Given, source: WeightSource & { left?(): number }, type: Type): SourceCase {
  const { arguments: options } = given;
  const common = commonConfig(options);
  const [layers, encoderLayers] = [options.number("n_decoder_layers", 6), options.number("n_encoder_layers", 6)];
  const both = options.any("attention");
  const named = (name: string, otherwise: string, of?: typeof traxAttention) =>
    namedAttention(options.any(name) ?? otherwise, common.heads, given.mode, of);
  const shared = both === undefined ? undefined : namedAttention(both, common.heads, given.mode);
  const decoder = shared ?? named("decoder_attention", "CausalAttention");
  const encoder = shared && type === "terraformer" ? shared : named("encoder_attention", "Attention", encoderAttention);
  const textAttentions = type === "terraformer" ? options.number("n_decoder_attention_layers", 2) : 1;
  const bothStreams = options.boolean("reversible_encoder", false);
  const forgetEvery = options.number("n_layers_forget", 0);
  options.boolean("center_layernorm", true);
  const positions = positionsOf(options);
  const config = {
    ...common,
    vocabulary: options.number("input_vocab_size"),
    layers,
    attention: decoder.config,
    positions: positions.config,
    encoder: {
      type,
      layers: encoderLayers,
      maxLength: given.input(0).shape[1]!,
      attention: encoder.config,
      ...(type === "terraformer" ? { textAttentions, bothStreams, ...(forgetEvery ? { forgetEvery } : {}) } : {}),
    },
  } as EncoderDecoderConfig | TerraformerConfig; // by its type
  options.expectAllRead(given.mode); // before weights are taken: an unknown option has unknown weights

  const parts: Parts = { common, source, encoder, decoder };
  // In Trax's order, which is that of a source that counts its weights.
  const table = source.take("embedding");
  const [ofSource, ofText] = [
    positions.weights(under(source, "encoder.positions")),
    positions.weights(under(source, "decoder.positions")),
  ];
  const sourceBlocks = blocks(encoderLayers, (i) => block(parts, encoder, `encoder.block${i}`));
  const joined =
    type === "transformer"
      ? { norm: norm(under(source, "encoder.norm.")) }
      : bothStreams
        ? {}
        : {
            joined: {
              mean: { ...denseWeights(source, "encoder.dense") },
              norm: norm(under(source, "encoder.norm.")),
            },
          };
  const textBlocks = blocks(layers, (i) =>
    type === "terraformer"
      ? wideBlock(parts, `decoder.block${i}`, textAttentions)
      : block(parts, decoder, `decoder.block${i}`, true),
  );
  const forget = blocks(forgetsIn(source), (i) => ({ ...denseWeights(source, `decoder.forget${i}`) }));
  const w = {
    embedding: { table },
    positions: ofText,
    blocks: textBlocks,
    ...(Object.keys(forget).length > 0 ? { forget } : {}),
    norm: norm(under(source, "final_norm.")),
    loss: lossWeights(common.loss, source),
    encoder: { positions: ofSource, blocks: sourceBlocks, ...joined },
  };
  expectNoneLeft(source);
  return { model: modelOf(config), w };
}

function forgetsIn(source: WeightSource & { left?(): number }): number {
  let count = 0;
  while (source.left === undefined && source.has(`decoder.forget${count}`)) count++;
  return count;
}

/** Logits behind a source and a text, which goes out too. Of decoding, the last token of the first example is compared. */
function sourceCase(given: Given, source: WeightSource, type: Type): readonly Tensor[] {
  const { model, w } = sourceModel(given, source, type);
  const [read, text] = [given.input(0), given.input(1)];
  const tokens = shiftRight(text);
  given.compareLast("aux.predict_logits", () =>
    lastLogits(model, w, { source: first(read), tokens: first(tokens), length: lengthOfFirst(given) }),
  );
  return [model.logits(w, concat(read, tokens, { axis: 1 }), given.context), text];
}

const first = (x: Tensor): Tensor => slice(x, { starts: [0, 0], ends: [1, x.shape[1]!] });

/** Tokens of the first source that are no padding. */
function lengthOfFirst(given: Given): number {
  const { shape, data } = given.stored("input.0");
  return [...data.slice(0, shape[1])].filter((token) => token !== 0).length;
}

/** Logits behind the last token of one text, which is decoded: [1, vocabulary]. */
function lastLogits(
  model: LanguageModel,
  w: Weights<Params>,
  { source, tokens, length }: { readonly source: Tensor; readonly tokens: Tensor; readonly length: number },
): Tensor {
  const time = tokens.shape[1]!;
  const reader = model.source!; // a model with an encoder
  const memory = reader.encode(w, source);
  let caches: Tree<Tensor> = mapTree<TensorType, Tensor>(model.caches(1, time, source.shape[1]!), ({ shape }) =>
    zeros(shape),
  );
  const at = (position: number) => scalar(position, "int32");
  if (reader.read) ({ caches } = reader.read(w, memory, caches, at(0), length));
  const cut = (start: number, end: number) => slice(tokens, { starts: [0, start], ends: [1, end] });
  ({ caches } = model.decode(w, cut(0, time - 1), caches, at(0), memory));
  return model.decode(w, cut(time - 1, time), caches, at(time - 1), memory).logits;
}

type Type = "terraformer" | "transformer";

/** Weights by their names. */
export const namedSourceCase = (type: Type) => (given: Given) => sourceCase(given, given, type);
/** Weights by their numbers. */
export const numberedSourceCase = (type: Type) => (given: Given) => sourceCase(given, numbered(given), type);
