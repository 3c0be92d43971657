import { expectDivisible } from "../../config-error.ts";
import { type Defined, type Definition, define } from "../../definition/layer-definition.ts";
import type { Given, Options } from "../../definition/option.ts";
import type { DecodedLayer, Layer } from "../../layer.ts";
import type { LayerFilters } from "../projections/active-inputs.ts";

/** What a model tells its feed-forward layer. */
export interface FeedForwardDimensions {
  readonly dModel: number;
  /** Hidden units, of all experts together. */
  readonly dFf: number;
  /** Of a dense layer's matrices: those into the hidden units, and the one out of them. */
  readonly filters?: LayerFilters | undefined;
}

/** Another layer of the same weights. */
export interface Ending {
  /** Its config, as a model's config has it. */
  readonly layer: { readonly type: string; readonly [option: string]: unknown };
  /** Names of weights there, by their names here, where they differ; of nested ones `outer.inner`. */
  readonly renamed: Readonly<Record<string, string>>;
}

/** What is said of a feed-forward layer beside what is said of every layer. */
export interface FeedForwardTraits<O extends Options = Options> {
  /** The option that `dFf` must be a multiple of; left out where any will do. */
  readonly unitStep?: keyof O & string;
  /** For the table of layers: whether a token's output depends on later ones. The layer itself says so in `notCausal`. */
  readonly causality: string;
  /** For the table of layers: what decoding computes beside the full pass. */
  readonly decoding: string;
  /**
   * What it ends its training as, where it would decode another function than the one that it was trained as. Undefined where
   * these options have no such layer.
   */
  endsAs?(config: Given<O>): Ending | undefined;
}

/**
 * A feed-forward layer: a function from `{ dModel, dFf, ...options }` to the layer, which carries its definition.
 *
 * @throws FinegrainError when called: where `dFf` is not a multiple of the unit step, or an option does not fit.
 */
export function defineFeedForward<
  const N extends string,
  const O extends Options,
  L extends Layer | DecodedLayer = Layer | DecodedLayer,
>(
  definition: Definition<FeedForwardDimensions, N, O, L> & FeedForwardTraits<O>,
): Defined<FeedForwardDimensions, N, O, L, FeedForwardTraits<O>> {
  const { unitStep, check } = definition;
  return define<FeedForwardDimensions, N, O, L, FeedForwardTraits<O>>("feed-forward layer", {
    ...definition,
    check(config, at) {
      // The option's own check has made sure that it is a number.
      const step = unitStep === undefined ? 1 : (config as Readonly<Record<string, unknown>>)[unitStep];
      if (unitStep !== undefined) expectDivisible(at.owner, "dFf", config.dFf, at.option(unitStep), Number(step));
      check?.(config, at);
    },
  });
}
