import { add, broadcastTo, concat, FinegrainError, reshape, slice, type Tensor } from "@finegrain/graph";
import { whole } from "../../definition/option.ts";
import { normal } from "../../init.ts";
import { type Param, param, type Weights } from "../../layer.ts";
import { definePositions, type PositionLayer } from "./definition.ts";
import { expectLength, rowsAt } from "./places.ts";

export interface AxialPositionsConfig {
  /** Places as those of a grid, row by row: their product is the longest text. */
  readonly shape: readonly number[];
  /** How many features tell the place along each axis of the grid; together dModel. */
  readonly features: readonly number[];
}

/**
 * Trained positions of long texts from few numbers: a place is one of a grid, and each axis of the grid has a table of its own, whose
 * rows are put side by side. Kitaev et al. 2020, "Reformer"; Trax `AxialPositionalEncoding`.
 *
 * @throws FinegrainError where there is not one number of features for each axis.
 */
export function axialPositions({
  shape,
  features,
}: AxialPositionsConfig): PositionLayer<Readonly<Record<string, Param>>> {
  if (shape.length !== features.length || shape.length === 0)
    throw new FinegrainError(`axial positions: a grid [${shape}] and features [${features}] have not as many axes`);
  const total = shape.reduce((a, b) => a * b, 1);
  const names = shape.map((_, axis) => `axis${axis}`);
  const dModel = features.reduce((a, b) => a + b, 0);
  const table = (w: Weights<Readonly<Record<string, Param>>>): Tensor => {
    const parts = names.map((name, axis) => {
      const alone = reshape(w[name]!, [...shape.map((n, i) => (i === axis ? n : 1)), features[axis]!]);
      return reshape(broadcastTo(alone, [...shape, features[axis]!]), [total, features[axis]!]);
    });
    return parts.length === 1 ? parts[0]! : concat(...parts, { axis: 1 });
  };
  return {
    params: Object.fromEntries(names.map((name, axis) => [name, param([shape[axis]!, features[axis]!], normal(1))])),
    apply(w, x) {
      expectLength(x, total);
      return add(x, slice(table(w), { starts: [0, 0], ends: [x.shape[1]!, dModel] }));
    },
    decode(w, x, position) {
      expectLength(x, total);
      return add(x, rowsAt(table(w), x.shape[1]!, position));
    },
  };
}

/** {@link axialPositions} of a grid of so many columns. */
export const axial = definePositions({
  name: "axial",
  summary: "add two trained tables, of a place's row and column in a grid",
  options: {
    columns: whole({ doc: "places of a row of the grid" }),
    rowFeatures: whole({ doc: "features that tell the row; the others tell the column" }),
  },
  check({ dModel, rowFeatures }, at) {
    if (rowFeatures >= dModel)
      at.refuse(`${at.option("rowFeatures")} must be less than dModel ${dModel}, not ${rowFeatures}`);
  },
  build: ({ dModel, maxLength, columns, rowFeatures }) =>
    axialPositions({
      shape: [Math.ceil(maxLength / columns), columns],
      features: [rowFeatures, dModel - rowFeatures],
    }),
  cases: [{ options: { columns: 4, rowFeatures: 3 } }],
});
