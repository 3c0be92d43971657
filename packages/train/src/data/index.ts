export { type BatchSize, type HeldOutBatch, heldOutBatches, type TrainBatches, trainBatches } from "./batches.ts";
export { type Corpus, type CorpusOptions, type TextDocument, tokenizeCorpus } from "./corpus.ts";
