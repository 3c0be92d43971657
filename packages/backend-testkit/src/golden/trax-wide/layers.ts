import { add, causalAttention, fastGelu, gather, gelu, max, min, relu, reshape, type Tensor } from "@finegrain/graph";
import {
  alike,
  attention,
  axialPositions,
  type CachedLayer,
  dense,
  dropout,
  feedForward,
  feedForwardBranch,
  fixedBasePositions,
  layerNorm,
  type Params,
  recurrentBranch,
  sinusoidalPositions,
  traxSparseFeedForward,
} from "@finegrain/nn";
import { weightedAccuracy, weightedCrossEntropy } from "@finegrain/train";
import { type Given, under } from "../given.ts";
import { recurrenceOptions } from "../trax/language-model.ts";
import {
  type Adapter,
  addPositions,
  applyOrDecode,
  applyOrStep,
  feedForwardCase,
  sparseFeedForwardCase,
  turnedDense,
} from "../trax/layers.ts";
import {
  attentionWeights,
  feedForwardWeights,
  fixedBaseWeights,
  normWeights,
  oneOfEachBlockWeights,
  recurrentWeights,
} from "../trax/weights.ts";

const elementwise =
  (f: (x: Tensor) => Tensor): Adapter =>
  (given) =>
    f(given.input());

/** The LayerNorm in front of a feed-forward layer. */
function normed(given: Given): Tensor {
  const x = given.input();
  return layerNorm({ dModel: x.shape.at(-1)! }).apply(normWeights(under(given, "norm.")), x, given.context);
}

/** x + layer(x), which a case of recurrent units has. */
const residual = <P extends Params>(layer: CachedLayer<P>): CachedLayer<P> => ({
  ...layer,
  apply: (w, x, context) => add(x, layer.apply(w, x, context)),
  decode(w, x, caches, position) {
    const step = layer.decode(w, x, caches, position);
    return { ...step, y: add(x, step.y) };
  },
});

/** A LayerNorm and a dense feed-forward layer, with recurrent units beside it where `ff_use_sru` says so. */
function feedForwardBlock(given: Given): Tensor {
  const { arguments: options } = given;
  const recurrence = recurrenceOptions(options);
  if (!recurrence) return feedForwardCase(given, normed(given));
  const [dModel, dFf] = [options.number("d_model"), options.number("d_ff")];
  const norm = layerNorm({ dModel });
  const layer = feedForwardBranch({
    norm,
    feedForward: feedForward({ dModel, dFf }),
    recurrence: recurrentBranch({ dModel, ...recurrence }, norm),
  });
  const w = {
    feedForwardNorm: normWeights(under(given, "norm.")),
    feedForward: feedForwardWeights(given),
    recurrence: recurrentWeights(given, recurrence.layers),
  };
  return applyOrStep(residual(layer), w, given);
}

/** Axes that Trax counts from the end. */
const sharedAxes = (given: Given, name: string, rank: number): number[] =>
  ((given.arguments.any(name) ?? []) as number[]).map((axis) => (axis < 0 ? rank + axis : axis)); // a list in every case

function dropoutCase(given: Given): Tensor {
  const x = given.input();
  const shared = sharedAxes(given, "shared_axes", x.shape.length);
  return dropout(x, given.context, { rate: given.arguments.number("rate"), shared });
}

/** With what is dropped of the output: batch and time are one axis there. */
function droppedSparseFeedForward(given: Given): Tensor {
  const rate = given.arguments.number("dropout_rate", 0);
  const shared = sharedAxes(given, "dropout_shared_axes", 2).includes(0) ? [0, 1] : [];
  return dropout(sparseFeedForwardCase(given), given.context, { rate, shared });
}

/** Trax's causal attention, with what is dropped of the weights. */
function causalAttentionCase(given: Given): Tensor {
  const { arguments: options } = given;
  const [dModel, heads] = [options.number("d_feature"), options.number("n_heads", 1)];
  const config = { dModel, heads, dropout: options.number("dropout", 0) };
  const layer = attention(config, alike(dense({ dIn: dModel, dOut: dModel })));
  return applyOrStep(layer, attentionWeights(given), given);
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

/** Tables of the axes, [1, 1, extent, 1, features] in Trax. */
function axialCase(given: Given): Tensor {
  const shape = given.arguments.any("shape") as number[]; // as every case has it
  const features = given.arguments.any("d_embs") as number[];
  const w = shape.map((extent, axis) => [`axis${axis}`, reshape(given.take(`axis${axis}`), [extent, features[axis]!])]);
  return addPositions(axialPositions({ shape, features }), Object.fromEntries(w), given);
}

function fixedBaseCase(given: Given): Tensor {
  const bases = (given.arguments.any("bases") ?? [11, 13, 14, 15]) as number[]; // as every case has it
  const digits = given.arguments.number("n_digits", 8);
  const layer = fixedBasePositions({ dModel: given.input().shape.at(-1)!, bases, digits });
  return addPositions(layer, fixedBaseWeights(given, bases.length, digits), given);
}

/** By Trax's names: those that golden/trax has none of, or another of. */
export const wideLayerAdapters: Readonly<Record<string, Adapter>> = {
  ActivationFastGelu: elementwise(fastGelu),
  ActivationGelu: elementwise(gelu),
  ActivationRelu: elementwise(relu),
  AxialPositionalEncoding: axialCase,
  CausalAttention: causalAttentionCase,
  DotProductCausalAttention: headsCase,
  Dropout: dropoutCase,
  EinsumDense: (given) => {
    given.arguments.any("d_input");
    return turnedDense(given, given.arguments.number("d_output"), given.arguments.boolean("use_bias", true));
  },
  Embedding: embeddingCase,
  FeedForward: feedForwardBlock,
  FixedBasePositionalEncoding: fixedBaseCase,
  FeedForwardWithSparsity: sparseFeedForwardBlock,
  SinCosPositionalEncoding: (given) => {
    const [, maxLength, dModel] = given.input().shape as [number, number, number];
    return addPositions(sinusoidalPositions({ dModel, heads: 1, maxLength, order: "halves" }), {}, given);
  },
  SparseFF: droppedSparseFeedForward,
  WeightedCategoryAccuracy: (given) => weightedAccuracy(predictions(given)),
  WeightedCategoryCrossEntropy: crossEntropyCase,
};
