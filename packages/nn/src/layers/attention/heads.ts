import {
  add,
  broadcastTo,
  cachedAttention,
  causalAttention,
  einsum,
  FinegrainError,
  mul,
  reshape,
  scalar,
  softmax,
  type Tensor,
  type TensorType,
  transpose,
  updateSlice,
} from "@finegrain/graph";
import type { Context } from "../../context.ts";
import { dropout } from "../dropout.ts";
import { type Rotation, rotary } from "../positions/rotary.ts";
import type { LayerFilters } from "../projections/active-inputs.ts";
import { eachStream } from "../streams.ts";
import { attendHeads, causally, hiding, overHeads } from "./attend-heads.ts";

/** The dimensions of attention's heads, which are contiguous slices of the features. */
export interface HeadDimensions {
  readonly dModel: number;
  readonly heads: number;
  /** Features of a head. Default dModel / heads. */
  readonly headWidth?: number;
}

/** How queries, keys and values become the output of attention. */
export interface HeadsConfig extends HeadDimensions {
  /** Keys and values of how many heads, which neighbouring heads share. Default as many as `heads`. */
  readonly kvHeads?: number;
  /** How queries and keys are turned by their places; left out where they are not. */
  readonly rotary?: Rotation;
  /** A token attends to itself and earlier ones; else to all, and there is no decode. Default true. */
  readonly causal?: boolean;
  /** Part of a query's weights that are dropped in training. Default 0. */
  readonly dropout?: number;
  /** Of dense projections: those to queries, keys and values, and the one of what heads found. */
  readonly filters?: LayerFilters | undefined;
}

interface Projected {
  readonly query: Tensor;
  readonly key: Tensor;
  readonly value: Tensor;
}

/** Features of a head. */
export const headWidth = ({ dModel, heads, headWidth = dModel / heads }: HeadDimensions): number => headWidth;

/** [B, T, H d] -> [B, H, T, d]. */
export function split(x: Tensor, width: number): Tensor {
  const [batch, time, features] = x.shape as [number, number, number];
  const heads = features / width;
  if (time === 1) return reshape(x, [batch, heads, 1, width]);
  return transpose(reshape(x, [batch, time, heads, width]), [0, 2, 1, 3]);
}

/** [B, H, T, d] -> [B, T, H d]. */
export function join(x: Tensor): Tensor {
  const [batch, heads, time, width] = x.shape as [number, number, number, number];
  const rows = time === 1 ? x : transpose(x, [0, 2, 1, 3]);
  return reshape(rows, [batch, time, heads * width]);
}

const scale = (config: HeadsConfig) => ({ scale: headWidth(config) ** -0.5 });

/** Heads, [B, T, H d] -> [B, H, T, d], turned by their places from `position` on where the config says so. */
export function turn(x: Tensor, config: HeadsConfig, position: Tensor | number): Tensor {
  const heads = split(x, headWidth(config));
  return config.rotary ? rotary(heads, position, config.rotary) : heads;
}

/**
 * Attention among all tokens: queries [batch, time, heads width], keys and values [batch, time, kvHeads width].
 *
 * @param isToken bool [batch, time]: false for padding, which nothing attends to. It is behind the tokens, so that causal attention never
 *   sees it, and does not ask.
 */
export function attend(
  config: HeadsConfig,
  { query, key, value }: Projected,
  context: Context,
  isToken?: Tensor,
): Tensor {
  const [q, k, v] = [turn(query, config, 0), turn(key, config, 0), split(value, headWidth(config))];
  const { dropout: rate = 0 } = config;
  if (rate > 0 && context.mode === "train") {
    const drop = (weights: Tensor) => dropout(weights, context, { rate });
    const both = isToken ? hiding(overHeads(isToken)) : scalar(0);
    const bias = (config.causal ?? true) ? hiding(causally(q.shape[2]!)) : both;
    const everyHead = (shared: Tensor) => ofEveryHead(shared, config.heads);
    return join(attendHeads({ query: q, key: everyHead(k), value: everyHead(v) }, scale(config).scale, { bias, drop }));
  }
  if (config.causal ?? true) return join(causalAttention(q, k, v, scale(config)));
  const [batch, heads, time, width] = q.shape as [number, number, number, number];
  const shared = k.shape[1]!;
  const rows = reshape(mul(q, scale(config).scale), [batch, shared, (heads / shared) * time, width]);
  const scores = einsum(rows, k, "B H T D, B H S D -> B H T S");
  const seen = isToken ? add(scores, hiding(overHeads(isToken))) : scores;
  return join(reshape(einsum(softmax(seen), v, "B H T S, B H S D -> B H T D"), q.shape));
}

/** Keys or values that neighbouring heads share, once for each of them: [B, kvHeads, T, d] -> [B, heads, T, d]. */
function ofEveryHead(x: Tensor, heads: number): Tensor {
  const [batch, shared, time, width] = x.shape as [number, number, number, number];
  if (shared === heads) return x;
  const group = heads / shared;
  const repeated = broadcastTo(reshape(x, [batch, shared, 1, time, width]), [batch, shared, group, time, width]);
  return reshape(repeated, [batch, heads, time, width]);
}

/** Keys and values of a stream: [batch, kvHeads, capacity, width]. */
export const headCaches = (
  config: HeadsConfig,
  batch: number,
  capacity: number,
): Readonly<Record<"keys" | "values", TensorType>> => {
  const { kvHeads = config.heads } = config;
  const type: TensorType = { dtype: "float32", shape: [batch, kvHeads, capacity, headWidth(config)] };
  return { keys: type, values: type };
};

/**
 * Causal attention of new tokens over a stream's caches, to which theirs are added.
 * @throws FinegrainError where the attention is not causal.
 */
export function attendCached(
  config: HeadsConfig,
  { query, key, value }: Projected,
  caches: { readonly keys: Tensor; readonly values: Tensor },
  position: Tensor,
): { y: Tensor; caches: { keys: Tensor; values: Tensor } } {
  if (config.causal === false) throw new FinegrainError("attention in both directions has no decode");
  const fresh = {
    query: turn(query, config, position),
    key: turn(key, config, position),
    value: split(value, headWidth(config)),
  };
  const { y, ...after } = eachStream({ ...fresh, ...caches }, position, (own, position) => {
    const keys = updateSlice(own.keys, own.key, position, { axis: 2 });
    const values = updateSlice(own.values, own.value, position, { axis: 2 });
    return { y: cachedAttention(own.query, keys, values, position, scale(config)), keys, values };
  });
  return { y: join(y), caches: after };
}
