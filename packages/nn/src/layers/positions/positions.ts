import {
  add,
  cast,
  constant,
  dynamicSlice,
  FinegrainError,
  iota,
  mul,
  reshape,
  sin,
  slice,
  type Tensor,
} from "@finegrain/graph";
import { sinusoid, sinusoidRate } from "../../init.ts";
import { type Layer, type Param, type Params, param, type Weights } from "../../layer.ts";

export interface PositionsConfig {
  readonly dModel: number;
  readonly maxLength: number;
}

/** Adds to every token what tells its place: `decode` stands at `position`, an int32 scalar. */
export interface PositionLayer<P extends Params = Params> extends Layer<P> {
  decode(w: Weights<P>, x: Tensor, position: Tensor): Tensor;
}

/** @throws FinegrainError where `x` [batch, time, dModel] is longer than the table. */
function expectLength(x: Tensor, maxLength: number): void {
  if (x.shape[1]! > maxLength)
    throw new FinegrainError(`${x.shape[1]} tokens are more than the model's maxLength of ${maxLength}`);
}

/**
 * A trained table of positions that starts as the sinusoids: Trax's `PositionalEncoding`.
 *
 *   x  float32 [batch, time, dModel]    table  [maxLength, dModel]
 */
export const learnedPositions = ({ dModel, maxLength }: PositionsConfig): PositionLayer<{ table: Param }> => ({
  params: { table: param([maxLength, dModel], sinusoid) },
  apply(w, x) {
    expectLength(x, maxLength);
    return add(x, slice(w.table, { starts: [0, 0], ends: [x.shape[1]!, dModel] }));
  },
  decode(w, x, position) {
    expectLength(x, maxLength);
    return add(x, dynamicSlice(w.table, position, { axis: 0, length: x.shape[1]! }));
  },
});

/** int32 [time, 1]: the places of the rows of `x` in their stream, which begins at `position`. */
export function places(time: number, position: Tensor | number = 0): Tensor {
  const within = iota({ shape: [time, 1], axis: 0 });
  return time === 1 && typeof position !== "number" ? reshape(position, [1, 1]) : add(within, position);
}

/**
 * Fixed sinusoids, computed where they are needed: no parameters. Vaswani et al. 2017, 3.5.
 * cos a is taken as sin(a + π/2), so that one sine serves all columns.
 */
export function sinusoidalPositions({ dModel, maxLength }: PositionsConfig): PositionLayer<Record<never, Param>> {
  const row = (f: (column: number) => number) =>
    constant({ dtype: "float32", shape: [dModel], data: Array.from({ length: dModel }, (_, i) => f(i)) });
  const rates = row((i) => sinusoidRate(i, dModel));
  const phases = row((i) => (i % 2) * (Math.PI / 2));
  const shifted = (x: Tensor, position: Tensor | number) => {
    expectLength(x, maxLength);
    const angles = mul(cast(places(x.shape[1]!, position), "float32"), rates);
    return add(x, sin(add(angles, phases)));
  };
  return { params: {}, apply: (_, x) => shifted(x, 0), decode: (_, x, position) => shifted(x, position) };
}
