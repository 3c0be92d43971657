import type { Place } from "../definition/layer-definition.ts";
import { activeInputs, type InputFilter, type LayerFilters } from "../layers/projections/active-inputs.ts";

/** The inputs of a block's dense matrices: of queries, keys and values; of what heads found; of the units, and out of them. */
export const MATRIX_INPUTS = ["attention", "attentionOutput", "feedForward", "feedForwardOutput"] as const;
export type MatrixInput = (typeof MATRIX_INPUTS)[number];

/** Of an input the values that count. */
export interface ActiveInput {
  /** The least magnitude; what is below is taken as 0. */
  readonly least: number;
  /** The share of values that are so large, where that was chosen. Tells what is read for a token; nothing is computed with it. */
  readonly share: number;
}

/** What of a block's inputs counts; of those that are left out everything does. */
export type ActiveInputs = { readonly [K in MatrixInput]?: ActiveInput };

/** What of a model's config has to do with it. */
export interface ActiveInputsConfig {
  readonly layers: number;
  readonly activeInputs?: readonly ActiveInputs[];
  readonly feedForward?: { readonly type: string };
  readonly attention?: { readonly type: string };
  readonly student?: object;
  readonly encoder?: object;
}

/** A filter for an input of a block, undefined where all of it counts. */
export type FilterOf = (block: number, input: MatrixInput) => InputFilter | undefined;

/** The filters of a config. */
export const filtersOf =
  ({ activeInputs: blocks }: Pick<ActiveInputsConfig, "activeInputs">): FilterOf =>
  (block, input) => {
    const active = blocks?.[block]?.[input];
    return active && activeInputs(active.least);
  };

/** The filters of a block's two layers. */
export const layerFilters = (
  filterOf: FilterOf,
  block: number,
): { readonly attention: LayerFilters; readonly feedForward: LayerFilters } => ({
  attention: { first: filterOf(block, "attention"), last: filterOf(block, "attentionOutput") },
  feedForward: { first: filterOf(block, "feedForward"), last: filterOf(block, "feedForwardOutput") },
});

/** @throws FinegrainError where the field does not fit the model. */
export function checkActiveInputs(config: ActiveInputsConfig, at: Place): void {
  const { activeInputs: blocks, layers, feedForward, attention, student, encoder } = config;
  if (blocks === undefined) return;
  const other = [feedForward, attention].find((part) => part && part.type !== "dense");
  if (other) at.refuse(`activeInputs are of dense layers, not of ${other.type} ones`);
  if (student || encoder) at.refuse(`activeInputs are for models without ${student ? "a student" : "an encoder"}`);
  if (!Array.isArray(blocks) || blocks.length !== layers)
    at.refuse(`activeInputs must be a list with an entry for each of the ${layers} blocks`);
  for (const [block, inputs] of blocks.entries())
    for (const [name, active] of Object.entries<ActiveInput>(inputs)) {
      const field = `activeInputs[${block}].${name}`;
      if (!MATRIX_INPUTS.some((known) => known === name))
        at.refuse(`there is no "${field}": known are ${MATRIX_INPUTS.join(", ")}`);
      if (!(Number.isFinite(active?.least) && active.least >= 0))
        at.refuse(`${field}.least must be a number of at least 0, not ${active?.least}`);
      if (!(active.share > 0 && active.share <= 1))
        at.refuse(`${field}.share must be above 0 and at most 1, not ${active.share}`);
    }
}
