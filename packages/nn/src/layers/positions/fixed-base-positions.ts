import { add, cast, constant, div, einsum, equal, floor, mul, reshape, size, sub, type Tensor } from "@finegrain/graph";
import { expectDivisible } from "../../config-error.ts";
import { whole } from "../../definition/option.ts";
import type { Init } from "../../init.ts";
import { type Param, param, type Weights } from "../../layer.ts";
import { definePositions, type PositionLayer } from "./definition.ts";
import { places } from "./places.ts";

export interface FixedBasePositionsConfig {
  readonly dModel: number;
  /** Bases in which a place is written. Default 11, 13, 14 and 15. */
  readonly bases?: readonly number[];
  /** Digits of a place in each base; dModel is a multiple of them. Default 8. */
  readonly digits?: number;
}

export type FixedBasePositionsParams = {
  /** What a digit of a base counts: [bases, digits, dModel / digits]. */
  readonly digits: Param;
  /** Added to the first token: [dModel]. */
  readonly start: Param;
};

const small: Init = { kind: "uniform", limit: 1e-4 };

/**
 * A place is written as digits in several bases, each digit multiplies a trained vector of its own, and the bases are added up: so
 * there is no longest text. Trax `FixedBasePositionalEncoding`, which in training also begins at random places.
 *
 * @throws FinegrainError where dModel is no multiple of the digits.
 */
export function fixedBasePositions(config: FixedBasePositionsConfig): PositionLayer<FixedBasePositionsParams> {
  const { dModel, bases = [11, 13, 14, 15], digits = 8 } = config;
  const width = expectDivisible("fixed-base positions", "dModel", dModel, "digits", digits);
  const table = (of: (base: number, digit: number) => number) =>
    constant({
      dtype: "float32",
      shape: [1, bases.length, digits],
      data: bases.flatMap((base) => Array.from({ length: digits }, (_, digit) => of(base, digit))),
    });
  const [power, base] = [table((b, digit) => b ** digit), table((b) => b)];
  const placed = (w: Weights<FixedBasePositionsParams>, x: Tensor, position: Tensor | number): Tensor => {
    const time = x.shape[1]!;
    const place = cast(places(time, position), "float32");
    const rows = size(place.shape);
    // Half a step further, so that a device whose quotients are a little too small finds the same whole number.
    const wholes = (x: Tensor, by: Tensor) => floor(div(add(x, 0.5), by));
    const above = wholes(reshape(place, [rows, 1, 1]), power);
    const digit = sub(above, mul(base, wholes(above, base)));
    const told = reshape(einsum(digit, w.digits, "T B I, B I W -> T I W"), [...place.shape.slice(0, -1), dModel]);
    const isFirst = cast(equal(place, 0), "float32");
    return add(x, add(told, mul(isFirst, w.start)));
  };
  return {
    params: { digits: param([bases.length, digits, width], small), start: param([dModel], small) },
    apply: (w, x) => placed(w, x, 0),
    decode: placed,
  };
}

/** {@link fixedBasePositions} in bases 11, 13, 14 and 15. */
export const fixedBase = definePositions({
  name: "fixed-base",
  summary: "add what the digits of a place count in several bases: no longest text",
  options: { digits: whole({ doc: "digits of a place in each base; dModel is a multiple of them", default: 8 }) },
  build: ({ dModel, digits }) => fixedBasePositions({ dModel, digits }),
  cases: [{ options: { digits: 4 } }],
});
