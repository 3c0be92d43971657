import {
  cachedAttention,
  causalAttention,
  einsum,
  FinegrainError,
  mul,
  reshape,
  softmax,
  type Tensor,
  type TensorType,
  transpose,
  updateSlice,
} from "@finegrain/graph";
import { rotary } from "../positions/rotary.ts";

/** How queries, keys and values become the output of attention: heads are contiguous slices of the features. */
export interface HeadsConfig {
  readonly dModel: number;
  readonly heads: number;
  /** Turn queries and keys by their places. Default false. */
  readonly rotary?: boolean;
  /** A token attends to itself and earlier ones; else to all, and there is no decode. Default true. */
  readonly causal?: boolean;
}

interface Projected {
  readonly query: Tensor;
  readonly key: Tensor;
  readonly value: Tensor;
}

/** [B, T, D] -> [B, H, T, d]. */
function split(x: Tensor, heads: number): Tensor {
  const [batch, time, dModel] = x.shape as [number, number, number];
  const width = dModel / heads;
  if (time === 1) return reshape(x, [batch, heads, 1, width]);
  return transpose(reshape(x, [batch, time, heads, width]), [0, 2, 1, 3]);
}

/** [B, H, T, d] -> [B, T, D]. */
function join(x: Tensor): Tensor {
  const [batch, heads, time, width] = x.shape as [number, number, number, number];
  const rows = time === 1 ? x : transpose(x, [0, 2, 1, 3]);
  return reshape(rows, [batch, time, heads * width]);
}

const scale = ({ dModel, heads }: HeadsConfig) => ({ scale: (dModel / heads) ** -0.5 });

function turn(x: Tensor, config: HeadsConfig, position: Tensor | number): Tensor {
  const heads = split(x, config.heads);
  return config.rotary ? rotary(heads, position) : heads;
}

/** Attention among all tokens, each [batch, time, dModel]. */
export function attend(config: HeadsConfig, { query, key, value }: Projected): Tensor {
  const [q, k, v] = [turn(query, config, 0), turn(key, config, 0), split(value, config.heads)];
  if (config.causal ?? true) return join(causalAttention(q, k, v, scale(config)));
  const scores = einsum(mul(q, scale(config).scale), k, "B H T D, B H S D -> B H T S");
  return join(einsum(softmax(scores), v, "B H T S, B H S D -> B H T D"));
}

/** Keys and values of a stream: [batch, heads, capacity, dHead]. */
export const headCaches = (
  { dModel, heads }: HeadsConfig,
  batch: number,
  capacity: number,
): Readonly<Record<"keys" | "values", TensorType>> => {
  const type: TensorType = { dtype: "float32", shape: [batch, heads, capacity, dModel / heads] };
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
  const keys = updateSlice(caches.keys, turn(key, config, position), position, { axis: 2 });
  const values = updateSlice(caches.values, split(value, config.heads), position, { axis: 2 });
  const y = join(cachedAttention(turn(query, config, position), keys, values, position, scale(config)));
  return { y, caches: { keys, values } };
}
