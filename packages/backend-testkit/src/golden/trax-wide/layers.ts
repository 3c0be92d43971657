import { causalAttention, fastGelu, gather, gelu, max, min, relu, reshape, type Tensor } from "@finegrain/graph";
import { layerNorm, sinusoidalPositions, traxSparseFeedForward } from "@finegrain/nn";
import { weightedAccuracy, weightedCrossEntropy } from "@finegrain/train";
import { type Given, under } from "../given.ts";
import { type Adapter, addPositions, applyOrDecode, feedForwardCase, turnedDense } from "../trax/layers.ts";
import { normWeights, oneOfEachBlockWeights } from "../trax/weights.ts";

const elementwise =
  (f: (x: Tensor) => Tensor): Adapter =>
  (given) =>
    f(given.input());

/** The LayerNorm in front of a feed-forward layer. */
function normed(given: Given): Tensor {
  const x = given.input();
  return layerNorm({ dModel: x.shape.at(-1)! }).apply(normWeights(under(given, "norm.")), x, given.context);
}

function sparseFeedForwardBlock(given: Given): Tensor {
  const { arguments: options, context } = given;
  const [dModel, dFf, blockSize] = [options.number("d_model"), options.number("d_ff"), options.number("ff_sparsity")];
  const layer = traxSparseFeedForward({ dModel, dFf, blockSize });
  return applyOrDecode(layer, oneOfEachBlockWeights(given), given, context, normed(given));
}

/** Numbers of tokens outside of the table count as its first or last. */
function embeddingCase(given: Given): Tensor {
  given.arguments.any("d_feature");
  const last = given.arguments.number("vocab_size") - 1;
  return gather(given.take("table"), max(min(given.input(), last), 0));
}

const predictions = (given: Given) => ({ logits: given.input(0), targets: given.input(1), weights: given.input(2) });

function crossEntropyCase(given: Given): Tensor {
  const [labelSmoothing, cutoff] = ["label_smoothing", "cutoff"].map((name) => given.arguments.number(name, 0));
  return weightedCrossEntropy(predictions(given), { labelSmoothing: labelSmoothing!, cutoff: cutoff! });
}

/** Heads are examples of the batch. */
function headsCase(given: Given): Tensor {
  const [q, k, v] = [given.input(0), given.input(1), given.input(2)];
  const [rows, time, width] = q.shape as [number, number, number];
  const heads = (x: Tensor) => reshape(x, [rows, 1, time, width]);
  return reshape(causalAttention(heads(q), heads(k), heads(v), { scale: width ** -0.5 }), q.shape);
}

/** By Trax's names: those that golden/trax has none of, or another of. */
export const wideLayerAdapters: Readonly<Record<string, Adapter>> = {
  ActivationFastGelu: elementwise(fastGelu),
  ActivationGelu: elementwise(gelu),
  ActivationRelu: elementwise(relu),
  DotProductCausalAttention: headsCase,
  EinsumDense: (given) => {
    given.arguments.any("d_input");
    return turnedDense(given, given.arguments.number("d_output"), given.arguments.boolean("use_bias", true));
  },
  Embedding: embeddingCase,
  FeedForward: (given) => feedForwardCase(given, normed(given)),
  FeedForwardWithSparsity: sparseFeedForwardBlock,
  SinCosPositionalEncoding: (given) => {
    const [, maxLength, dModel] = given.input().shape as [number, number, number];
    return addPositions(sinusoidalPositions({ dModel, heads: 1, maxLength, order: "halves" }), {}, given);
  },
  WeightedCategoryAccuracy: (given) => weightedAccuracy(predictions(given)),
  WeightedCategoryCrossEntropy: crossEntropyCase,
};
