import { cast, concat, reshape, type Tensor } from "@finegrain/graph";
import {
  attendFeatures,
  attendFeaturesCausally,
  bidirectionalFavorAttention,
  crossAttention,
  dense,
  type FeatureHeads,
  type Layer,
  locallyConvolutionalDense,
  lshAttention,
  multiplicativeDense,
  type Params,
  reluFeatures,
  selfAttention,
  softmaxFeatures,
  type Weights,
} from "@finegrain/nn";
import { Unsupported } from "../case.ts";
import type { Given } from "../given.ts";
import type { Adapter } from "../trax/layers.ts";
import {
  attentionWeights,
  convolutionWeights,
  denseWeights,
  multiplicativeWeights,
  selfWeights,
} from "../trax/weights.ts";

/** A mask of any shape, over keys: bool [batch, length]. */
const tokensOf = (mask: Tensor, batch: number): Tensor => reshape(mask, [batch, mask.shape.at(-1)!]);

/** Trax's `Attention` and `AttentionQKV`: what is attended to comes in beside the tokens, or is the tokens; the mask goes out too. */
function maskedAttention(given: Given, memory: { keys: Tensor; values: Tensor }, mask: Tensor): readonly Tensor[] {
  const { arguments: options } = given;
  const [dModel, heads] = [options.number("d_feature"), options.number("n_heads", 1)];
  const x = given.input(0);
  const isToken = tokensOf(mask, x.shape[0]!);
  const projection = dense({ dIn: dModel, dOut: dModel });
  const modules = options.number("q_sparsity", 0);
  const result = options.text("result_sparsity", "");
  if (result !== "" && result !== "noop") throw new Unsupported(`result_sparsity ${result}`);
  const output = result === "noop" ? unchanged : projection;
  const query = modules > 0 ? convolvedQuery(dModel, modules) : projection;
  const layer = crossAttention<Params, Params>(
    { dModel, heads },
    { query: query as Layer, key: projection as Layer, value: projection as Layer, output: output as Layer },
  );
  const w = {
    query: modules > 0 ? convolvedWeights(given) : denseWeights(given, "query"),
    key: denseWeights(given, "key"),
    value: denseWeights(given, "value"),
    output: result === "noop" ? {} : denseWeights(given, "output"),
  };
  return [layer.apply(w as Weights<typeof layer.params>, x, { ...memory, isToken }, given.context), mask];
}

const unchanged: Layer<Record<never, never>> = { params: {}, apply: (_, x) => x };

/** Trax's sparse queries: a multiplicative layer, and a convolution of 3 by 3 over its modules. */
function convolvedQuery(dModel: number, modules: number) {
  const first = multiplicativeDense({ dIn: dModel, dOut: dModel, modules });
  const second = locallyConvolutionalDense({ dIn: dModel, dOut: dModel, modules, kernel: 3, lengthKernel: 3 });
  const params = { first: first.params, second: second.params };
  return {
    params,
    apply: (w: Weights<typeof params>, x: Tensor, context: Given["context"]) =>
      second.apply(w.second, first.apply(w.first, x, context), context),
  };
}

const convolvedWeights = (given: Given) => ({
  first: multiplicativeWeights(given, "q.mult"),
  second: convolutionWeights(given, "q.conv"),
});

/** What Trax's efficient attentions have in common. */
function efficientConfig(given: Given) {
  const { arguments: options } = given;
  const headWidth = options.number("d_qk");
  if (options.number("d_v") !== headWidth) throw new Unsupported("values of another width than keys");
  const dModel = given.input().shape.at(-1)!;
  return { dModel, heads: options.number("n_heads"), headWidth, causal: options.boolean("causal", false) };
}

function chunksOf({ arguments: options }: Given) {
  const chunk = options.number("chunk_len", 0);
  const [chunksBefore, chunksAfter] = [options.number("n_chunks_before", 0), options.number("n_chunks_after", 0)];
  return chunk > 0 ? { chunks: { chunk, chunksBefore, chunksAfter } } : {};
}

function selfAttentionCase(given: Given): Tensor {
  const { arguments: options } = given;
  const [shareQK, bias] = [options.boolean("share_qk", false), options.boolean("bias", false)];
  const masked = options.boolean("masked", false);
  const layer = selfAttention({ ...efficientConfig(given), shareQK, bias, ...chunksOf(given) });
  return layer.apply(selfWeights(given), given.input(), given.context, masked ? given.input(1) : undefined);
}

function lshCase(given: Given): Tensor {
  const { arguments: options } = given;
  const { chunks } = chunksOf(given);
  if (!chunks) throw new Unsupported("LSH attention without chunks");
  const [hashes, buckets] = [options.number("n_hashes"), options.number("n_buckets")];
  const rotations = given.tensor("random.rotations");
  const layer = lshAttention({ ...efficientConfig(given), chunks, hashes, buckets, rotations });
  return layer.apply(selfWeights(given), given.input(), given.context);
}

/** Heads are examples of the batch, [batch heads, time, width]. */
const oneHead = (x: Tensor): Tensor => reshape(x, [x.shape[0]!, 1, x.shape[1]!, x.shape[2]!]);

/** A mask as Trax has it, over the heads: float32 [batch heads, 1, time, 1]. */
function overHeads(mask: Tensor, rows: number): Tensor {
  const [batch, time] = [mask.shape[0]!, mask.shape.at(-1)!];
  const every = cast(reshape(mask, [batch, 1, time]), "float32");
  const repeated = Array.from({ length: rows / batch }, () => every);
  return reshape(concat(...repeated, { axis: 1 }), [rows, 1, time, 1]);
}

function favorAttentionCase(given: Given): readonly Tensor[] {
  const { arguments: options } = given;
  for (const unused of ["d_feature", "n_heads", "n_random_features", "scale_by_norm"]) options.any(unused);
  const [query, key, value] = [0, 1, 2].map((i) => oneHead(given.input(i))) as [Tensor, Tensor, Tensor];
  const stabilizer = options.number("numerical_stabilizer", 1e-3);
  const [normalize, epsilon] = [options.boolean("normalize_data", false), options.number("epsilon", 1e-4)];
  const heads: FeatureHeads = options.boolean("use_approximate_softmax", false)
    ? ((config) => ({
        query: softmaxFeatures(query, config, false),
        key: softmaxFeatures(key, config, true),
        value,
      }))({ projection: given.tensor("aux.projection"), normalize, epsilon })
    : { query: reluFeatures(query, stabilizer), key: reluFeatures(key, stabilizer), value };
  const mask = given.input(3);
  const y = attendFeatures(heads, overHeads(mask, query.shape[0]!));
  return [reshape(y, given.input(2).shape), mask];
}

function favorConfig({ arguments: options }: Given) {
  const stabilizer = options.number("numerical_stabilizer", 1e-3);
  return { dModel: options.number("d_feature"), heads: options.number("n_heads", 1), stabilizer };
}

function favorCase(given: Given): readonly Tensor[] {
  const [x, mask] = [given.input(0), given.input(1)];
  const layer = bidirectionalFavorAttention(favorConfig(given));
  return [layer.apply(attentionWeights(given), x, given.context, tokensOf(mask, x.shape[0]!)), mask];
}

function causalFavorHeads(given: Given): Tensor {
  const stabilizer = given.arguments.number("numerical_stabilizer", 1e-3);
  const [query, key, value] = [0, 1, 2].map((i) => oneHead(given.input(i))) as [Tensor, Tensor, Tensor];
  const features = (x: Tensor) => reluFeatures(x, stabilizer);
  const { y } = attendFeaturesCausally({ query: features(query), key: features(key), value });
  return reshape(y, given.input(2).shape);
}

/** By Trax's names. */
export const wideAttentionAdapters: Readonly<Record<string, Adapter>> = {
  AttentionMasked: (given) => maskedAttention(given, { keys: given.input(0), values: given.input(0) }, given.input(1)),
  AttentionQKV: (given) => maskedAttention(given, { keys: given.input(1), values: given.input(2) }, given.input(3)),
  CausalFavorAttention: causalFavorHeads,
  Favor: favorCase,
  FavorAttention: favorAttentionCase,
  LSHSelfAttention: lshCase,
  SelfAttention: selfAttentionCase,
};
