export {
  type ActiveInput,
  type ActiveInputs,
  type FilterOf,
  MATRIX_INPUTS,
  type MatrixInput,
} from "./active-inputs-config.ts";
export {
  type AttentionConfig,
  catalogs,
  type FeedForwardConfig,
  type LossConfig,
  type NormConfig,
  type PositionsConfig,
} from "./catalogs.ts";
export { type EncoderConfig, hiddenUnits, type ModelConfig, type SizedConfig } from "./config.ts";
export { type DenseLMConfig, denseLM } from "./dense-lm.ts";
export { type EncoderDecoderConfig, type EncoderDecoderParams, encoderDecoder } from "./encoder-decoder.ts";
export { equalParameters } from "./equal-parameters.ts";
export { type LanguageModel, PADDING, type SourceReader, type SourceTokens } from "./language-model.ts";
export { LORA_MATRICES, type LoraConfig, type LoraMatrix } from "./lora-config.ts";
export { modelOf } from "./model-of.ts";
export {
  type AnyAttention,
  type AnyFeedForward,
  attentionOf,
  type ConfigWith,
  endingOf,
  feedForwardOf,
  type ModelEnding,
  type OwnLayers,
} from "./parts.ts";
export { presets } from "./presets.ts";
export { filteredLM, type LanguageModelParams, scalingLM } from "./scaling-lm.ts";
export type { StudentConfig } from "./student-config.ts";
export { studentStart } from "./students.ts";
export { type TerraformerConfig, type TerraformerParams, terraformer } from "./terraformer.ts";
export { isTrainedBeside, writtenConfig, writtenWeights } from "./written.ts";
