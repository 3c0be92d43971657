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
 * both, and the sum of two products.
 */
export function appendedAttention(
  m: ModelBuilder,
  parts: AppendedAttention,
  q: Tensor,
  capacity: number,
  scale: number,
): string {
  const time = q.shape[2]!;
  const [query, alpha] = time === 1 ? [scaledApart(m, parts.q, q.shape[3]!, scale), 1] : [parts.q, scale];
  const scores = (keys: string) =>
    m.node("FusedMatMul", [query, keys], { transB: 1, alpha: { float: alpha } }, CONTRIB);
  const hidden = m.constant("float32", [], [MASKED]);
  const masked = (visible: string, x: string) => m.node("Where", [visible, x, hidden]);

  const cached = masked(m.node("Less", [m.range(capacity), parts.position]), scores(parts.pastKeys));
  const own = scores(parts.newKeys);
  const fresh = time === 1 ? own : masked(m.node("LessOrEqual", [m.range(time), m.range(time, 1)]), own);
  const weights = m.node("Softmax", [m.node("Concat", [cached, fresh], { axis: 3 })], { axis: -1 });
  const [past, present] = m.nodes("Split", [weights, m.ints(capacity, time)], 2, { axis: 3 });
  return m.node("Add", [m.node("MatMul", [past!, parts.pastValues]), m.node("MatMul", [present!, parts.newValues])]);
}
