/*
 * What ops declare to be tested on, for their own files and for those who test backends: `@finegrain/graph/cases`.
 */
import type { DType, Shape, TensorType } from "./tensor.ts";

/** An input of a conformance case. Floats are standard normal, or uniform in `range`; integers uniform in [atLeast, below). */
export interface CaseInput extends TensorType {
  readonly atLeast?: number;
  readonly below?: number;
  readonly range?: readonly [low: number, high: number];
}

export const f32 = (...shape: readonly number[]): CaseInput => ({ dtype: "float32", shape });
/** Away from zero, for logarithms, roots and divisors. */
export const positive = (...shape: readonly number[]): CaseInput => ({ dtype: "float32", shape, range: [0.5, 2] });
export const i32 = (shape: Shape, below: number, atLeast = 0): CaseInput => ({ dtype: "int32", shape, below, atLeast });
export const bool = (...shape: readonly number[]): CaseInput => ({ dtype: "bool", shape, below: 2 });

/** Where a sampled call gets its sizes from: a property-based generator, so that failures shrink. */
export interface Draw {
  /** An integer in [low, high]. */
  integer(low: number, high: number): number;
  /** An extent: small, often 1, sometimes 0 (unless `atLeast` says otherwise). */
  extent(atLeast?: number): number;
  /** A shape of `minRank` to `maxRank` extents. */
  shape(minRank?: number, maxRank?: number): number[];
}

/** Two shapes that broadcast against each other, some axes of extent one, some left out. */
export function broadcastable(draw: Draw): [number[], number[]] {
  const shape = draw.shape(0, 4);
  const narrow = (): number[] =>
    shape.slice(draw.integer(0, shape.length)).map((extent) => (draw.integer(0, 3) === 0 ? 1 : extent));
  return draw.integer(0, 1) === 0 ? [shape, narrow()] : [narrow(), shape];
}

export const typed = (dtype: DType, shape: Shape): CaseInput =>
  dtype === "float32" ? f32(...shape) : dtype === "int32" ? i32(shape, 100) : bool(...shape);
