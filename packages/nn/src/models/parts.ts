import { FinegrainError } from "@finegrain/graph";
import { type Catalog, catalog, fromConfig, type PartOf } from "../definition/catalog.ts";
import type { AnyDefinition } from "../definition/layer-definition.ts";
import type { CachedLayer, DecodedLayer, Layer } from "../layer.ts";
import { attentions } from "../layers/attention/catalog.ts";
import type { AttentionLayer, AttentionTraits } from "../layers/attention/definition.ts";
import type { HeadsConfig } from "../layers/attention/heads.ts";
import { feedForwards } from "../layers/feed-forward/catalog.ts";
import type { FeedForwardDimensions, FeedForwardTraits } from "../layers/feed-forward/definition.ts";
import { inChunks } from "../layers/feed-forward/in-chunks.ts";
import { losses } from "../layers/loss/catalog.ts";
import type { LossDimensions, LossLayer } from "../layers/loss/definition.ts";
import { norms } from "../layers/norm/catalog.ts";
import type { NormDimensions } from "../layers/norm/definition.ts";
import { positions } from "../layers/positions/catalog.ts";
import type { PositionLayer, PositionsDimensions } from "../layers/positions/definition.ts";
import type { LayerFilters } from "../layers/projections/active-inputs.ts";
import { type RecurrentBranchParams, recurrentBranch } from "../layers/recurrence/recurrent-branch.ts";
import type { AttentionConfig } from "./catalogs.ts";
import { hiddenUnits, type ModelConfig } from "./config.ts";

/*
 * The layers that a config chooses. Which parameters they have is only known when it is read, so their types become those
 * of any tree.
 */

/** A definition of a feed-forward layer, whatever its options. */
export type AnyFeedForward = AnyDefinition<FeedForwardDimensions, Layer | DecodedLayer> &
  Partial<Pick<FeedForwardTraits, "unitStep" | "endsAs">>;

/** A definition of an attention layer, whatever its options. */
export type AnyAttention = AnyDefinition<HeadsConfig, AttentionLayer> & Partial<AttentionTraits>;

/** A user's own layers, made by `defineFeedForward` and its like, by the field of a config that may choose them. */
export interface OwnLayers {
  readonly feedForward?: readonly AnyFeedForward[];
  readonly attention?: readonly AnyAttention[];
  readonly loss?: readonly AnyDefinition<LossDimensions, LossLayer>[];
  readonly positions?: readonly AnyDefinition<PositionsDimensions, PositionLayer>[];
  readonly norm?: readonly AnyDefinition<NormDimensions, Layer>[];
}

/** A model's config that may choose own layers too. */
export type ConfigWith<O extends OwnLayers> = Omit<ModelConfig, keyof OwnLayers> & {
  readonly [F in keyof OwnLayers]?: ModelConfig[F] | OwnConfig<O[F]>;
};
type OwnConfig<T> = T extends readonly (infer D)[] ? PartOf<D> : never;

/** A catalog with own layers after those that it has. @throws FinegrainError where it has one of the same name. */
function withOwn<D, L>(known: Catalog<D, L>, own: readonly AnyDefinition<D, L>[] = []): Catalog<D, L> {
  const twice = own.find(({ name }) => Object.hasOwn(known, name));
  if (twice !== undefined) throw new FinegrainError(`a layer is called "${twice.name}" already: choose another name`);
  return { ...known, ...catalog(...own) };
}

/**
 * The feed-forward layer of a config.
 * @throws FinegrainError where there is no such layer, or an option does not fit.
 */
export function feedForwardOf(
  config: Pick<ModelConfig, "dModel" | "dFf" | "activation" | "feedForward" | "feedForwardChunk">,
  own: OwnLayers = {},
  filters?: LayerFilters,
): Layer | DecodedLayer {
  const { dModel, activation, feedForward = { type: "dense" } } = config;
  const { type } = feedForward;
  if (type !== "dense" && activation !== undefined && activation !== "relu")
    throw new FinegrainError(`model config: a ${type} feed-forward layer has the activation relu, not ${activation}`);
  const part = type === "dense" && activation !== undefined ? { activation, ...feedForward } : feedForward;
  const known = withOwn<FeedForwardDimensions, Layer | DecodedLayer>(feedForwards, own.feedForward);
  const layer = fromConfig(known, "feedForward", part, { dModel, dFf: hiddenUnits(config), filters });
  return config.feedForwardChunk === undefined ? layer : inChunks(layer, config.feedForwardChunk);
}

/**
 * The attention of a config.
 * @throws FinegrainError where there is no such layer, an option does not fit, or a masked model gets one that is causal.
 */
export function attentionOf(
  config: Pick<ModelConfig, "dModel" | "heads" | "attention" | "attentionDropout" | "positions" | "objective">,
  own: OwnLayers = {},
  filters?: LayerFilters,
): AttentionLayer {
  const { dModel, heads, attention = { type: "dense" }, attentionDropout, objective } = config;
  // Whether positions turn queries and keys has nothing to do with how long a text may be.
  const { rotary } = positionsOf({ ...config, maxLength: 1 }, own);
  const known = withOwn<HeadsConfig, AttentionLayer>(attentions, own.attention);
  return fromConfig(known, "attention", attention, {
    dModel,
    heads,
    ...(rotary && { rotary }),
    ...(attentionDropout && { dropout: attentionDropout }),
    causal: objective !== "masked",
    filters,
  });
}

/**
 * The attention of a config's encoder: in both directions where the layer can, else causal.
 * @throws FinegrainError where there is no such layer, or an option does not fit.
 */
export function encoderAttentionOf(
  config: Pick<ModelConfig, "dModel" | "heads" | "attentionDropout" | "positions">,
  attention: AttentionConfig = { type: "dense" },
  own: OwnLayers = {},
): AttentionLayer {
  const all: readonly AnyAttention[] = [...Object.values(attentions), ...(own.attention ?? [])];
  const { bothDirections = false } = all.find(({ name }) => name === attention.type) ?? {};
  return attentionOf({ ...config, attention, objective: bothDirections ? "masked" : "causal" }, own);
}

/** The loss layer of a config. @throws FinegrainError where there is no such layer, or an option does not fit. */
export function lossOf(
  { dModel, vocabulary, loss = { type: "dense" } }: Pick<ModelConfig, "dModel" | "vocabulary" | "loss">,
  own: OwnLayers = {},
): LossLayer {
  return fromConfig(withOwn<LossDimensions, LossLayer>(losses, own.loss), "loss", loss, { dModel, vocabulary });
}

/** The norm of a config. @throws FinegrainError where there is no such norm, or an option does not fit. */
export function normOf({ dModel, norm = "layer" }: Pick<ModelConfig, "dModel" | "norm">, own: OwnLayers = {}): Layer {
  return fromConfig(withOwn<NormDimensions, Layer>(norms, own.norm), "norm", norm, { dModel });
}

/** The recurrent branch of a config's blocks, undefined where they have none. */
export function recurrenceOf(
  { dModel, recurrence, norm }: Pick<ModelConfig, "dModel" | "recurrence" | "norm">,
  own: OwnLayers = {},
): CachedLayer<RecurrentBranchParams> | undefined {
  return recurrence && recurrentBranch({ dModel, ...recurrence }, normOf({ dModel, ...(norm && { norm }) }, own));
}

/** How positions enter by a config. @throws FinegrainError where there is no such way, or it does not fit the heads. */
export function positionsOf(
  config: Pick<ModelConfig, "dModel" | "heads" | "maxLength" | "positions">,
  own: OwnLayers = {},
): PositionLayer {
  const { dModel, heads, maxLength, positions: chosen = "learned" } = config;
  const known = withOwn<PositionsDimensions, PositionLayer>(positions, own.positions);
  return fromConfig(known, "positions", chosen, { dModel, heads, maxLength });
}

/** What a model ends its training as: another one of the same weights. */
export interface ModelEnding {
  readonly config: ModelConfig;
  /** The name there of a weight here, or of anything whose name begins with a weight's and a point. */
  rename(path: string): string;
}

/** What a config's model ends its training as; undefined where that is itself, since it decodes what it was trained as. */
export function endingOf(config: ModelConfig, own: OwnLayers = {}): ModelEnding | undefined {
  const { feedForward = { type: "dense" } } = config;
  const { type, ...options } = feedForward;
  // The options are those of the layer, as the model's own check made sure.
  const ending = definitionOf(type, own)?.endsAs?.(options as never);
  if (ending === undefined) return undefined;
  const renames = Object.entries(ending.renamed).map(
    ([from, to]) =>
      [
        new RegExp(`^((?:encoder\\.)?blocks\\.\\d+\\.feedForward\\.)${from.replaceAll(".", "\\.")}(?=\\.|$)`),
        to,
      ] as const,
  );
  // Reversible blocks have no losses of their own.
  const lossless = config.encoder?.type === "terraformer" ? { loadBalancing: 0, zLoss: 0 } : {};
  return {
    config: { ...config, feedForward: { ...ending.layer, ...lossless } as NonNullable<ModelConfig["feedForward"]> },
    rename: (path) => renames.reduce((name, [from, to]) => name.replace(from, `$1${to}`), path),
  };
}

const definitionOf = (type: string, own: OwnLayers): AnyFeedForward | undefined => {
  const known: Readonly<Record<string, AnyFeedForward>> = { ...feedForwards, ...catalog(...(own.feedForward ?? [])) };
  return known[type];
};

/** How many of `dFf` come and go together in a config's feed-forward layer. */
export function unitStep(
  { feedForward = { type: "dense" } }: Pick<ModelConfig, "feedForward">,
  own: OwnLayers = {},
): number {
  const step = definitionOf(feedForward.type, own)?.unitStep;
  return step === undefined ? 1 : Number((feedForward as Readonly<Record<string, unknown>>)[step]);
}
