export {
  type AttentionConfig,
  catalogs,
  type FeedForwardConfig,
  type LossConfig,
  type NormConfig,
  type PositionsConfig,
} from "./catalogs.ts";
export { hiddenUnits, type ModelConfig, type SizedConfig } from "./config.ts";
export { type DenseLMConfig, denseLM } from "./dense-lm.ts";
export { equalParameters } from "./equal-parameters.ts";
export type { LanguageModel } from "./language-model.ts";
export { mergingLora } from "./lora.ts";
export { LORA_MATRICES, type LoraConfig, type LoraMatrix } from "./lora-config.ts";
export {
  type AnyFeedForward,
  attentionOf,
  type ConfigWith,
  endingOf,
  feedForwardOf,
  type ModelEnding,
  type OwnLayers,
} from "./parts.ts";
export { presets } from "./presets.ts";
export { type LanguageModelParams, scalingLM } from "./scaling-lm.ts";
