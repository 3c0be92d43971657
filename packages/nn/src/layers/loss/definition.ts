import { type Defined, type Definition, define } from "../../definition/layer-definition.ts";
import type { Options } from "../../definition/option.ts";
import type { Layer, Params } from "../../layer.ts";

/** What a model tells its loss layer. */
export interface LossDimensions {
  readonly dModel: number;
  readonly vocabulary: number;
}

/** A layer of logits. */
export interface LossLayer<P extends Params = Params> extends Layer<P> {
  /** Its parameters are the embedding's, which it is given, and no others. Default false. */
  readonly tied?: boolean;
}

/**
 * What turns features into the logits of the vocabulary: a function from `{ dModel, vocabulary, ...options }` to the layer
 * [batch, time, dModel] -> [batch, time, vocabulary], which carries its definition.
 */
export const defineLoss = <const N extends string, const O extends Options, L extends LossLayer = LossLayer>(
  definition: Definition<LossDimensions, N, O, L>,
): Defined<LossDimensions, N, O, L> => define("loss layer", definition);
