import { type Defined, type Definition, define } from "../../definition/layer-definition.ts";
import { number, type Options } from "../../definition/option.ts";
import type { Layer } from "../../layer.ts";

/** What a model tells its norms. */
export interface NormDimensions {
  readonly dModel: number;
}

/** What keeps the root away from zero: an option of every norm. */
export const epsilon = number({ above: 0, doc: "added inside the root; the default is Trax's", default: 1e-6 });

/** A norm: a function from `{ dModel, ...options }` to the layer, which carries its definition. */
export const defineNorm = <const N extends string, const O extends Options, L extends Layer = Layer>(
  definition: Definition<NormDimensions, N, O, L>,
): Defined<NormDimensions, N, O, L> => define("norm", definition);
