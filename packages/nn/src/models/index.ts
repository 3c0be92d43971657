export type { ModelConfig } from "./config.ts";
export * from "./dense-lm.ts";
export * from "./equal-parameters.ts";
export * from "./language-model.ts";
export {
  type AttentionConfig,
  attentionOf,
  type ConfigWith,
  catalogs,
  type FeedForwardConfig,
  feedForwardOf,
  type LossConfig,
  type NormConfig,
  type OwnLayers,
  type PositionsConfig,
} from "./parts.ts";
export * from "./presets.ts";
export * from "./scaling-lm.ts";
