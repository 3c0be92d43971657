export {
  type SparsifiedInputs,
  type SparsifyInputsOptions,
  sparsifyInputs,
} from "./active-inputs/sparsify-inputs.ts";
export type { InTraining } from "./beginning.ts";
export type { Measured } from "./budget.ts";
export {
  checkRunConfig,
  type ModelOptions,
  modelConfig,
  type PartialConfig,
  type RunConfig,
  readPartialConfig,
  type SpecialTokens,
  type TrainingConfig,
  type TrainingOptions,
  trainingConfig,
  usualSchedule,
} from "./config.ts";
export type { RunSizes } from "./defaults.ts";
export * from "./folder/index.ts";
export {
  type EvaluateOptions,
  type Evaluation,
  type EvaluationInput,
  type EvaluationProgress,
  evaluateHeldOut,
} from "./held-out.ts";
export { type ExportOptions, exportToGguf, exportToHuggingFace } from "./pretrained/export.ts";
export type { ForeignTensor } from "./pretrained/foreign-tensors.ts";
export { type GgufContent, type GgufEntry, type GgufFormat, ggufBlock, ggufChunks } from "./pretrained/gguf/chunks.ts";
export { headWidthOf, metadataOfModel } from "./pretrained/gguf/metadata-of-model.ts";
export { type ImportOptions, importPretrained } from "./pretrained/import.ts";
export { openPretrained, type Pretrained } from "./pretrained/pretrained.ts";
export {
  type ContinueOptions,
  type OpenRunOptions,
  openedRun,
  openRun,
  type Run,
  type RunGenerateOptions,
  type RunParts,
} from "./run.ts";
export { SPEECHES, speeches } from "./speeches.ts";
export type { RunStore } from "./store.ts";
export { type ReadTextOptions, TEXT_ENDINGS } from "./text/read-documents.ts";
export { readText, type Text } from "./text/text.ts";
export { openTokenizer, tokenizerJson } from "./tokenizer.ts";
export { type TrainOptions, train } from "./train.ts";
export type { Outcome, Start, Step, TrainingListener } from "./training-loop.ts";
