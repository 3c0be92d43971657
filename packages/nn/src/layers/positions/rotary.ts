import { add, cast, concat, constant, cos, mul, neg, sin, slice, type Tensor } from "@finegrain/graph";
import { places } from "./places.ts";

/**
 * Rotate pairs (i, i + width / 2) of every query or key by position · 10000^(-2i / width), so that scores depend on
 * distances alone. Su et al. 2021, "RoFormer".
 *
 *   x         float32  [batch, heads, time, width], width even
 *   position  the place of the first row: a number, or int32 []
 */
export function rotary(x: Tensor, position: Tensor | number): Tensor {
  const [batch, heads, time, width] = x.shape as [number, number, number, number];
  const half = width / 2;
  const data = Array.from({ length: width }, (_, i) => 10000 ** (-(2 * (i % half)) / width));
  const angles = mul(cast(places(time, position), "float32"), constant({ dtype: "float32", shape: [width], data }));
  const part = (start: number) => slice(x, { starts: [0, 0, 0, start], ends: [batch, heads, time, start + half] });
  const turned = concat(neg(part(half)), part(0), { axis: 3 });
  return add(mul(x, cos(angles)), mul(turned, sin(angles)));
}
