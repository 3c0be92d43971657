import { constant, equal, gather, not, type Tensor, transpose } from "@finegrain/graph";
import {
  attentionOf,
  feedForward,
  joinSequences,
  type Layer,
  lengthsOf,
  type Params,
  permuteFeatures,
  secondOfJoined,
  traxSparseFeedForward,
  type Weights,
} from "@finegrain/nn";
import { type Given, under, type WeightSource } from "../given.ts";
import { traxAttention } from "../trax/attention.ts";
import { sparseFeedForwardOf } from "../trax/language-model.ts";
import { type Adapter, hardOrSoftForAll } from "../trax/layers.ts";
import { type Branch, normed, reversibleStreams } from "../trax/reversible.ts";
import { feedForwardWeights, oneOfEachBlockWeights } from "../trax/weights.ts";

const rankOfLast = (x: Tensor): number => x.shape.length - 1;

function attentionBranch(given: Given, kind: string, norm: string, source: WeightSource): Branch {
  const { arguments: options } = given;
  const dModel = given.input(0).shape.at(-1)!;
  options.any("d_feature");
  const heads = options.number("n_heads", 1);
  const { config, weights } = traxAttention(kind, options, heads);
  return normed(given, norm, attentionOf({ dModel, heads, attention: config }), weights(source));
}

function feedForwardBranch(given: Given, norm: string, source: WeightSource): Branch {
  const { arguments: options } = given;
  const [dModel, dFf] = [options.number("d_model"), options.number("d_ff")];
  const sparsity = options.any("ff_sparsity");
  const [temperature, quantizeProbability] = [options.number("temperature", 0.1), options.number("quant_prob", 0.3)];
  if (!sparsity) return branch(feedForward({ dModel, dFf }), feedForwardWeights(source));
  const { type: _, ...sparse } = sparseFeedForwardOf(sparsity, dFf);
  const layer = traxSparseFeedForward({ dModel, dFf, ...sparse, temperature, quantizeProbability });
  return branch(layer, oneOfEachBlockWeights(source));

  function branch<P extends Params>(layer: Layer<P>, w: Weights<P>): Branch {
    return normed(given, norm, layer as Layer, w as Weights<Params>);
  }
}

const context = (given: Given) => ({ ...given.context, random: hardOrSoftForAll(given.context.random) });

/** A half residual alone changes the first stream, and swaps nothing. */
function half(given: Given, branch: Branch): readonly Tensor[] {
  const [second, first] = reversibleStreams(given, [branch], context(given));
  return [first, second];
}

function decoderBlock(given: Given): readonly Tensor[] {
  const kind = given.arguments.text("attention", "CausalAttention");
  const count = given.arguments.number("n_attention_layers", 1);
  const attentions = Array.from({ length: count }, (_, i) =>
    attentionBranch(given, kind, `attention_norm${i}.`, under(given, `attention${i}.`)),
  );
  const last = feedForwardBranch(given, "ff_norm.", under(given, "ff."));
  return reversibleStreams(given, [...attentions, last], context(given));
}

/** Features in the order that the file has. */
function inStoredOrder(given: Given): Tensor {
  const x = given.input();
  const axes = x.shape.map((_, axis) => axis);
  const last = rankOfLast(x);
  const { shape, data } = given.stored("aux.order");
  const featuresFirst = transpose(x, [last, ...axes.slice(0, -1)]);
  const ordered = gather(featuresFirst, constant({ dtype: "int32", shape, data: [...data] }));
  return transpose(ordered, [...axes.slice(1), 0]);
}

function concatCase(given: Given): readonly Tensor[] {
  const joined = joinSequences(given.input(0), given.input(1), lengthsOf(given.input(2)));
  return [joined, given.input(3), given.input(4)];
}

function stripCase(given: Given): Tensor {
  const [tokens, targets] = [given.input(1), given.input(2)];
  const isToken = not(equal(tokens, 0));
  return secondOfJoined(given.input(0), lengthsOf(isToken), targets.shape[1]!);
}

/** By Trax's names. */
export const wideReversibleAdapters: Readonly<Record<string, Adapter>> = {
  ConcatWithPadding: concatCase,
  ReversibleDecoderBlock: decoderBlock,
  ReversibleHalfResidualAttention: (given) => half(given, attentionBranch(given, "CausalAttention", "norm.", given)),
  ReversibleHalfResidualFeedForward: (given) => half(given, feedForwardBranch(given, "norm.", given)),
  ReversibleHalfResidualSparseFF: (given) => half(given, feedForwardBranch(given, "norm.", given)),
  ReversibleRandomPermute: inStoredOrder,
  ReversibleReshapePermute: (given) => permuteFeatures(given.input()),
  StripFromConcatenateWithPadding: stripCase,
};
