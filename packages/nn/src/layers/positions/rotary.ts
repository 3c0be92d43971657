import { add, cast, concat, constant, cos, mul, neg, reshape, sin, slice, type Tensor } from "@finegrain/graph";
import { places } from "./places.ts";

/** How fast pairs turn: radians a place, of pair i of `pairs`. */
export type Rotation = (pair: number, pairs: number) => number;

/** base^(-i / pairs) of pair i. Su et al. 2021, "RoFormer", with the base 10,000. */
export const rotation =
  (base = 10_000): Rotation =>
  (pair, pairs) =>
    base ** (-pair / pairs);

/**
 * Rotate pairs (i, i + width / 2) of every query or key by position · rate, so that scores depend on distances alone. Su et al. 2021,
 * "RoFormer".
 *
 *   x         float32  [batch, heads, time, width], width even
 *   position  the place of the first row: a number, or int32 []; of each stream for itself, [batch]
 */
export function rotary(x: Tensor, position: Tensor | number, rate: Rotation = rotation()): Tensor {
  const [batch, heads, time, width] = x.shape as [number, number, number, number];
  const half = width / 2;
  const data = Array.from({ length: width }, (_, i) => rate(i % half, half));
  const own = places(time, position);
  // All heads of a stream stand at its places.
  const place = own.shape.length === 3 ? reshape(own, [batch, 1, time, 1]) : own;
  const angles = mul(cast(place, "float32"), constant({ dtype: "float32", shape: [width], data }));
  const part = (start: number) => slice(x, { starts: [0, 0, 0, start], ends: [batch, heads, time, start + half] });
  const turned = concat(neg(part(half)), part(0), { axis: 3 });
  return add(mul(x, cos(angles)), mul(turned, sin(angles)));
}
