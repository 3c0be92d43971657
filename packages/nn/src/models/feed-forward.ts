import { FinegrainError } from "@finegrain/graph";
import { type ConfigOf, fromConfig } from "../definition/catalog.ts";
import type { DecodedLayer, Layer } from "../layer.ts";
import { feedForwards } from "../layers/feed-forward/catalog.ts";
import type { FeedForwardDimensions } from "../layers/feed-forward/definition.ts";
import type { ModelConfig } from "./config.ts";

/** Which feed-forward layer a model has: its name, and its options. */
export type FeedForwardType = ConfigOf<typeof feedForwards>;

/** The names of all feed-forward layers. */
export const feedForwardTypes = Object.keys(feedForwards) as readonly FeedForwardType["type"][];

type Parts = Pick<ModelConfig, "dModel" | "dFf" | "activation" | "feedForward">;

/**
 * The layer that a config chooses. Which parameters it has is only known when the config is read.
 * @throws FinegrainError where the layer's options do not fit.
 */
export function feedForwardOf({
  dModel,
  dFf,
  activation,
  feedForward = { type: "dense" },
}: Parts): Layer | DecodedLayer {
  const { type } = feedForward;
  if (type !== "dense" && activation !== undefined && activation !== "relu")
    throw new FinegrainError(`model config: a ${type} feed-forward layer has the activation relu, not ${activation}`);
  const own = type === "dense" && activation !== undefined ? { activation, ...feedForward } : feedForward;
  return fromConfig<FeedForwardDimensions, Layer | DecodedLayer>(feedForwards, "feedForward", own, { dModel, dFf });
}

/** How many of `dFf` come and go together. */
export function unitStep(own: FeedForwardType = { type: "dense" }): number {
  const step = feedForwards[own.type].unitStep;
  return step === undefined ? 1 : Number((own as Readonly<Record<string, unknown>>)[step]);
}
