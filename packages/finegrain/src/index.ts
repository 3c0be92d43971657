/*
 * The library: open a backend, train a model, let it write. Who builds layers or graphs takes @finegrain/nn,
 * @finegrain/train, @finegrain/generate and @finegrain/graph, which are beneath.
 */
export { type BackendName, type BackendOptions, knownDevices, openBackend } from "@finegrain/backends";
export { alone, type Communicator } from "@finegrain/distributed";
export {
  byteTokenizer,
  type ChatMessage,
  type End,
  type Generated,
  huggingFaceTokenizer,
  type SamplingOptions,
  type Tokenizer,
} from "@finegrain/generate";
export { type Backend, type DeviceInfo, FinegrainError, type HostTensor, UnknownNameError } from "@finegrain/graph";
export {
  equalParameters,
  type LanguageModel,
  type ModelConfig,
  parameterCount,
  presets,
  type Storage,
  scalingLM,
} from "@finegrain/nn";
export {
  type ContinueOptions,
  type EvaluateOptions,
  type Evaluation,
  type EvaluationProgress,
  type ExportOptions,
  exportToHuggingFace,
  type ImportOptions,
  importPretrained,
  type ModelOptions,
  type OpenRunOptions,
  type Outcome,
  openPretrained,
  openRun,
  type Pretrained,
  type ReadTextOptions,
  type Run,
  type RunConfig,
  type RunGenerateOptions,
  readText,
  type Start,
  type Step,
  speeches,
  type Text,
  type TrainingConfig,
  type TrainingListener,
  type TrainingOptions,
  type TrainOptions,
  train,
} from "@finegrain/runs";
export type { Corpus, ScheduleConfig, TextDocument } from "@finegrain/train";
export { exportToOnnx, type OnnxExportOptions } from "./commands/export/to-onnx.ts";
