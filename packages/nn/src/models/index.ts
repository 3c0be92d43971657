export {
  type AttentionConfig,
  catalogs,
  type FeedForwardConfig,
  type LossConfig,
  type NormConfig,
  type PositionsConfig,
} from "./catalogs.ts";
export type { ModelConfig } from "./config.ts";
export * from "./dense-lm.ts";
export * from "./equal-parameters.ts";
export * from "./language-model.ts";
export { attentionOf, type ConfigWith, feedForwardOf, type OwnLayers } from "./parts.ts";
export * from "./presets.ts";
export * from "./scaling-lm.ts";
