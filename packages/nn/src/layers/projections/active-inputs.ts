import { abs, lessEqual, type Operand, select, type Tensor } from "@finegrain/graph";
import type { Param } from "../../layer.ts";

/** What a matrix is multiplied with in place of its input. */
export type InputFilter = (x: Tensor) => Tensor;

/** Filters of a layer's matrices: of those that read the layer's own input, and of the last one. Left out: all of an input counts. */
export interface LayerFilters {
  readonly first?: InputFilter | undefined;
  readonly last?: InputFilter | undefined;
}

/**
 * Inputs whose magnitude is at least so large, and zeros in place of the others: what is 0 needs no weights. Liu et al. 2024, "Training-Free
 * Activation Sparsity in Large Language Models" (TEAL), equation 1.
 */
export const activeInputs =
  (least: Operand): InputFilter =>
  (x) =>
    select(lessEqual(least, abs(x)), x, 0);

/** What of an input counts. */
export const kept = (x: Tensor, filter: InputFilter | undefined): Tensor => (filter ? filter(x) : x);

/** A matrix's parameter, which is kept for zeros where its input has a filter. */
export const filtered = (parameter: Param, filter: InputFilter | undefined): Param =>
  filter ? { ...parameter, skipsZeros: true } : parameter;
