import { reshape } from "../ops/reshape.ts";
import type { Tensor, TensorType } from "../tensor.ts";

/*
 * Queries of several neighbouring heads that share the keys and values of one: Ainslie et al. 2023, "GQA: Training Generalized
 * Multi-Query Transformer Models from Multi-Head Checkpoints".
 */

/** Whether queries [batch, heads, time, dHead] may share the heads of keys [batch, kvHeads, keys, dHead]. */
export function sharesHeads(q: TensorType, k: TensorType): boolean {
  const [batch, heads, , width] = q.shape;
  const [ofKeys, shared, , same] = k.shape;
  const divides = heads === shared || (shared! > 0 && heads! % shared! === 0);
  return q.shape.length === 4 && k.shape.length === 4 && batch === ofKeys && width === same && divides;
}

/** Queries by the heads of the keys that they share: [batch, kvHeads, heads of each, time, dHead]. */
export function grouped(q: Tensor, k: Tensor): Tensor {
  const [batch, heads, time, width] = q.shape as [number, number, number, number];
  const shared = k.shape[1]!;
  return reshape(q, [batch, shared, heads / shared, time, width]);
}
