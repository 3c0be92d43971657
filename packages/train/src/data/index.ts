export { type BatchSize, type HeldOutBatch, heldOutBatches, type TrainBatches, trainBatches } from "./batches.ts";
export { type Corpus, type CorpusOptions, tokenizeCorpus } from "./corpus.ts";
export type { TextDocument } from "./text.ts";
