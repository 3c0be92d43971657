export {
  type BatchSize,
  type HeldOutBatch,
  type HeldOutBatches,
  heldOutBatches,
  type TrainBatches,
  trainBatches,
} from "./batches.ts";
export {
  type Corpus,
  type CorpusOptions,
  type Documents,
  type TextDocument,
  type TextProgress,
  type TokenSink,
  type Tokens,
  tokenizeCorpus,
} from "./corpus.ts";
export { type Examples, examplesOf } from "./examples.ts";
export { tokenizePairs } from "./pairs.ts";
export { type Example, rowsOf, type SourceSize } from "./sources.ts";
export { corrupted, corruptedLength, corruptedSizes } from "./span-corruption.ts";
