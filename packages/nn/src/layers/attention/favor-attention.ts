import {
  add,
  cast,
  div,
  einsum,
  exp,
  iota,
  less,
  mul,
  pad,
  reduceMax,
  reduceSum,
  relu,
  reshape,
  size,
  slice,
  sub,
  type Tensor,
} from "@finegrain/graph";
import { type Context, evaluation } from "../../context.ts";
import { number } from "../../definition/option.ts";
import type { CachedLayer, Weights } from "../../layer.ts";
import { type DenseParams, dense } from "../projections/dense.ts";
import { causally } from "./attend-heads.ts";
import type { AttentionParams } from "./attention.ts";
import { type AttentionLayer, defineAttention } from "./definition.ts";
import { type HeadsConfig, headWidth, join, split, turn } from "./heads.ts";

/** Queries and keys as positive features, float32 [batch, heads, time, features], and values [batch, heads, time, width]. */
export interface FeatureHeads {
  readonly query: Tensor;
  readonly key: Tensor;
  readonly value: Tensor;
}

/** relu(x) + stabilizer: Choromanski et al. 2021, "Rethinking Attention with Performers", section 4.2. */
export const reluFeatures = (x: Tensor, stabilizer = 1e-3): Tensor => add(relu(x), stabilizer);

export interface SoftmaxFeaturesConfig {
  /** float32 [features, width]: orthogonal directions. */
  readonly projection: Tensor;
  /** Divide queries and keys by the fourth root of their width, as attention divides scores by its square root. */
  readonly normalize: boolean;
  /** Added to every feature. Default 1e-4. */
  readonly epsilon?: number;
}

/**
 * Random features whose products stand for exp(q k): exp(x Pᵀ - |x|² / 2 - max) / √features. Choromanski et al. 2021, section 2.3.
 *
 * @param x float32 [batch, heads, time, width].
 * @param together whether the largest exponent is taken over all tokens, as of keys, whose features are added up, or of each one.
 */
export function softmaxFeatures(
  x: Tensor,
  { projection, normalize, epsilon = 1e-4 }: SoftmaxFeaturesConfig,
  together: boolean,
): Tensor {
  const scaled = normalize ? mul(x, x.shape.at(-1)! ** -0.25) : x;
  const along = einsum(scaled, projection, "B H T D, M D -> B H T M");
  const half = mul(reduceSum(mul(scaled, scaled), { axes: [3], keepDims: true }), 0.5);
  const largest = reduceMax(along, { axes: together ? [2, 3] : [3], keepDims: true });
  return mul(add(exp(sub(sub(along, half), largest)), epsilon), projection.shape[0]! ** -0.5);
}

/**
 * Attention by features, in both directions, in time that grows with the length: φ(q) (φ(k)ᵀ v) / (φ(q) Σ φ(k)).
 *
 * @param isToken float32 [batch, 1, time, 1] or what broadcasts to it: 0 for tokens that are padding.
 */
export function attendFeatures({ query, key, value }: FeatureHeads, isToken?: Tensor): Tensor {
  const seen = isToken ? mul(key, isToken) : key;
  const memory = einsum(seen, value, "B H T M, B H T D -> B H M D");
  const found = einsum(query, memory, "B H T M, B H M D -> B H T D");
  const total = einsum(query, reduceSum(seen, { axes: [2] }), "B H T M, B H M -> B H T");
  return div(found, reshape(total, [...total.shape, 1]));
}

/** What causal attention by features keeps of the tokens before: Σ φ(k)ᵀ v [batch, heads, features, width], and Σ φ(k). */
export interface FeatureState {
  readonly memory: Tensor;
  readonly total: Tensor;
}

/** Tokens of which each sees the others directly; what is before is added up. */
const CHUNK = 64;

/**
 * As {@link attendFeatures}, of each token to itself and those before: tokens see their own chunk of 64 by scores, and the chunks
 * before by sums of what is in each.
 *
 * @param before what the first token follows. Default: nothing.
 */
export function attendFeaturesCausally(heads: FeatureHeads, before?: FeatureState): { y: Tensor; after: FeatureState } {
  const time = heads.query.shape[2]!;
  const chunk = Math.min(CHUNK, time);
  const [query, key, value] = [heads.query, heads.key, heads.value].map((x) => inChunks(x, chunk)) as Triple;
  const scores = mul(einsum(query, key, "B H Z T M, B H Z S M -> B H Z T S"), cast(causally(chunk), "float32"));
  let found = einsum(scores, value, "B H Z T S, B H Z S D -> B H Z T D");
  let total = reduceSum(scores, { axes: [4] });

  const memories = einsum(key, value, "B H Z T M, B H Z T D -> B H Z M D");
  const totals = reduceSum(key, { axes: [3] });
  const count = query.shape[2]!;
  if (count > 1 || before) {
    const earlier = { memory: sumOfEarlier(memories, before?.memory), total: sumOfEarlier(totals, before?.total) };
    found = add(found, einsum(query, earlier.memory, "B H Z T M, B H Z M D -> B H Z T D"));
    total = add(total, einsum(query, earlier.total, "B H Z T M, B H Z M -> B H Z T"));
  }
  const [batch, number, , width] = heads.value.shape as [number, number, number, number];
  // What only fills the last chunk has no features: it is cut off before it is divided by their sum, which is 0.
  const inTime = (x: Tensor, rest: readonly number[]) => {
    const whole = reshape(x, [batch, number, count * chunk, ...rest]);
    return slice(whole, { starts: whole.shape.map(() => 0), ends: [batch, number, time, ...rest] });
  };
  const all = (x: Tensor, old: Tensor | undefined) => {
    const sum = reduceSum(x, { axes: [2] });
    return old ? add(old, sum) : sum;
  };
  return {
    y: div(inTime(found, [width]), inTime(reshape(total, [...total.shape, 1]), [1])),
    after: { memory: all(memories, before?.memory), total: all(totals, before?.total) },
  };
}

type Triple = [Tensor, Tensor, Tensor];

/** [batch, heads, time, width] -> [batch, heads, chunks, chunk, width], with zeros at the end. */
function inChunks(x: Tensor, chunk: number): Tensor {
  const [batch, heads, time, width] = x.shape as [number, number, number, number];
  const count = Math.ceil(time / chunk);
  const whole = count * chunk === time ? x : pad(x, { low: [0, 0, 0, 0], high: [0, 0, count * chunk - time, 0] });
  return reshape(whole, [batch, heads, count, chunk, width]);
}

/** Of each chunk the sum of those before it, and of `before`: [batch, heads, chunks, ...] and [batch, heads, ...]. */
function sumOfEarlier(x: Tensor, before: Tensor | undefined): Tensor {
  const [batch, heads, count, ...rest] = x.shape as [number, number, number, ...number[]];
  const shape = [count, count];
  const isEarlier = cast(less(iota({ shape, axis: 1 }), iota({ shape, axis: 0 })), "float32");
  const flat = reshape(x, [batch, heads, count, size(rest)]);
  const sums = reshape(einsum(flat, isEarlier, "B H Y F, Z Y -> B H Z F"), x.shape);
  return before ? add(sums, reshape(before, [batch, heads, 1, ...rest])) : sums;
}

export interface FavorAttentionConfig extends Omit<HeadsConfig, "kvHeads" | "dropout" | "causal"> {
  /** Added to every feature. Default 1e-3. */
  readonly stabilizer?: number;
}

type FavorParams = AttentionParams<DenseParams>;

/** The projections around attention by relu features. */
function aroundFeatures(config: FavorAttentionConfig) {
  const { dModel, heads, stabilizer } = config;
  const width = headWidth(config);
  const into = dense({ dIn: dModel, dOut: heads * width });
  const output = dense({ dIn: heads * width, dOut: dModel });
  return {
    params: { query: into.params, key: into.params, value: into.params, output: output.params },
    width,
    features: (w: Weights<FavorParams>, x: Tensor, context: Context, position: Tensor | number = 0): FeatureHeads => ({
      query: reluFeatures(turn(into.apply(w.query, x, context), config, position), stabilizer),
      key: reluFeatures(turn(into.apply(w.key, x, context), config, position), stabilizer),
      value: split(into.apply(w.value, x, context), width),
    }),
    output: (w: Weights<FavorParams>, found: Tensor, context: Context) => output.apply(w.output, join(found), context),
  };
}

/**
 * Causal attention by relu features: its time grows with the length of a text, and what decoding keeps of it does not grow. Choromanski
 * et al. 2021; Trax `CausalFavor`. The scores have no scale: that of queries and keys is learned.
 */
export function favorAttention(config: FavorAttentionConfig): CachedLayer<FavorParams, "memory" | "total"> {
  const { params, width, features, output } = aroundFeatures(config);
  const { heads } = config;
  return {
    params,
    apply: (w, x, context) => output(w, attendFeaturesCausally(features(w, x, context)).y, context),
    caches: (batch) => ({
      memory: { dtype: "float32", shape: [batch, heads, width, width] },
      total: { dtype: "float32", shape: [batch, heads, width] },
    }),
    decode(w, x, caches, position) {
      const { y, after } = attendFeaturesCausally(features(w, x, evaluation, position), caches);
      return { y: output(w, y, evaluation), caches: { memory: after.memory, total: after.total } };
    },
  };
}

/** Attention by relu features in both directions. Trax `Favor`. */
export interface BidirectionalFavor {
  readonly params: FavorParams;
  /**
   * x float32 [batch, time, dModel], and so what is returned.
   *
   * @param isToken bool [batch, time]: false where there is nothing to attend to. Default: there is everywhere.
   */
  apply(w: Weights<FavorParams>, x: Tensor, context: Context, isToken?: Tensor): Tensor;
}

export function bidirectionalFavorAttention(config: FavorAttentionConfig): BidirectionalFavor {
  const { params, features, output } = aroundFeatures(config);
  return {
    params,
    apply(w, x, context, isToken) {
      const [batch, time] = x.shape as [number, number];
      const seen = isToken && cast(reshape(isToken, [batch, 1, time, 1]), "float32");
      return output(w, attendFeatures(features(w, x, context), seen), context);
    },
  };
}

/** Attention by relu features in a model: {@link favorAttention}, or in both directions {@link bidirectionalFavorAttention}. */
export const featureAttention = defineAttention({
  name: "favor",
  summary: "attend by positive features: in time that grows with the length, and decoding in constant memory",
  bothDirections: true,
  options: { stabilizer: number({ above: 0, doc: "added to every feature", default: 1e-3 }) },
  check({ dropout = 0 }, at) {
    if (dropout > 0) at.refuse("there are no weights of keys that could be dropped, and attentionDropout is 0");
  },
  build({ causal = true, ...config }): AttentionLayer<FavorParams> {
    const oneWay = favorAttention(config);
    return causal ? oneWay : { ...oneWay, ...bidirectionalFavorAttention(config) };
  },
  cases: [{ options: {} }],
});
