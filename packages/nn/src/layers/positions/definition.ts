import type { Tensor } from "@finegrain/graph";
import { type Defined, type Definition, define } from "../../definition/layer-definition.ts";
import type { Options } from "../../definition/option.ts";
import type { Layer, Params, Weights } from "../../layer.ts";
import type { Rotation } from "./rotary.ts";

/** What a model tells its positions. */
export interface PositionsDimensions {
  readonly dModel: number;
  readonly heads: number;
  /** The longest text, in tokens. */
  readonly maxLength: number;
}

/** Adds to every token what tells its place: `decode` stands at `position`, an int32 scalar. */
export interface PositionLayer<P extends Params = Params> extends Layer<P> {
  /** How attention is to turn queries and keys by their places, where nothing is added. */
  readonly rotary?: Rotation;
  decode(w: Weights<P>, x: Tensor, position: Tensor): Tensor;
}

/** How positions enter: a function from the dimensions and options to the layer, which carries its definition. */
export const definePositions = <
  const N extends string,
  const O extends Options,
  L extends PositionLayer = PositionLayer,
>(
  definition: Definition<PositionsDimensions, N, O, L>,
): Defined<PositionsDimensions, N, O, L> => define("positions", definition);
