import type { Tensor } from "@finegrain/graph";
import { CONTRIB, type ModelBuilder } from "../model-builder.ts";
import { scaledApart } from "./einsum.ts";

/** What the attention of a decode step reads, where its caches are inputs that this step appends to. */
export interface AppendedAttention {
  readonly q: string;
  readonly position: string;
  /** The caches as they were before this step. */
  readonly pastKeys: string;
  readonly pastValues: string;
  readonly newKeys: string;
  readonly newValues: string;
}

const MASKED = -1e9;

/**
 * cachedAttention(q, updateSlice(pastKeys, newKeys, position), updateSlice(pastValues, newValues, position), position)
 * without the updated caches, which would be copies: scores over the old cache and over the new rows, one softmax over
 * both, and the sum of two products. Queries of heads that share keys and values are rows of one product.
 */
export function appendedAttention(
  m: ModelBuilder,
  parts: AppendedAttention,
  q: Tensor,
  { shape: cache }: Tensor,
  scale: number,
): string {
  const [batch, heads, time, width] = q.shape as [number, number, number, number];
  const [, shared, capacity] = cache as [number, number, number, number];
  const sharing = heads / shared;
  const given = sharing === 1 ? parts.q : m.node("Reshape", [parts.q, m.ints(batch, shared, sharing * time, width)]);
  const [query, alpha] = sharing * time === 1 ? [scaledApart(m, given, width, scale), 1] : [given, scale];
  const scores = (keys: string) =>
    m.node("FusedMatMul", [query, keys], { transB: 1, alpha: { float: alpha } }, CONTRIB);
  const hidden = m.constant("float32", [], [MASKED]);
  const masked = (visible: string, x: string) => m.node("Where", [visible, x, hidden]);

  const cached = masked(m.node("Less", [m.range(capacity), parts.position]), scores(parts.pastKeys));
  const own = scores(parts.newKeys);
  const places = Array.from({ length: sharing * time }, (_, row) => row % time);
  const place = () => m.constant("int32", [places.length, 1], places);
  const fresh = time === 1 ? own : masked(m.node("LessOrEqual", [m.range(time), place()]), own);
  const weights = m.node("Softmax", [m.node("Concat", [cached, fresh], { axis: 3 })], { axis: -1 });
  const [past, present] = m.nodes("Split", [weights, m.ints(capacity, time)], 2, { axis: 3 });
  const y = m.node("Add", [m.node("MatMul", [past!, parts.pastValues]), m.node("MatMul", [present!, parts.newValues])]);
  return sharing === 1 ? y : m.node("Reshape", [y, m.ints(...q.shape)]);
}
