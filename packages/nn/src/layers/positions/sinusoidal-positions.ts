import { add, cast, constant, mul, sin, type Tensor } from "@finegrain/graph";
import { choice, type Resolved } from "../../definition/option.ts";
import { sinusoidRate } from "../../init.ts";
import type { Param } from "../../layer.ts";
import { definePositions, type PositionLayer, type PositionsDimensions } from "./definition.ts";
import { expectLength, places } from "./places.ts";

const options = {
  order: choice(["interleaved", "halves"], {
    doc: "whether a sine and its cosine are neighbours, or all sines come before all cosines",
    default: "interleaved",
  }),
};

/**
 * Fixed sinusoids, computed where they are needed: no parameters. Vaswani et al. 2017, 3.5; in halves, Trax `SinCosPositionalEncoding`.
 * cos a is taken as sin(a + π/2), so that one sine serves all columns.
 */
export const sinusoidalPositions = definePositions({
  name: "sinusoidal",
  summary: "add fixed sinusoids",
  options,
  build: layer,
  cases: [{ options: {} }, { options: { order: "halves" } }],
});

function layer({
  dModel,
  maxLength,
  order,
}: PositionsDimensions & Resolved<typeof options>): PositionLayer<Record<never, Param>> {
  const row = (f: (column: number) => number) =>
    constant({ dtype: "float32", shape: [dModel], data: Array.from({ length: dModel }, (_, i) => f(i)) });
  /** The column's place among neighbouring pairs of sine and cosine. */
  const half = Math.ceil(dModel / 2);
  const paired = (i: number) => (order === "interleaved" ? i : i < half ? 2 * i : 2 * (i - half) + 1);
  const rates = row((i) => sinusoidRate(paired(i), dModel));
  const phases = row((i) => (paired(i) % 2) * (Math.PI / 2));
  const shifted = (x: Tensor, position: Tensor | number) => {
    expectLength(x, maxLength);
    const angles = mul(cast(places(x.shape[1]!, position), "float32"), rates);
    return add(x, sin(add(angles, phases)));
  };
  return { params: {}, apply: (_, x) => shifted(x, 0), decode: (_, x, position) => shifted(x, position) };
}
