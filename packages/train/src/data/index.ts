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
