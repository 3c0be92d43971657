export { type AttentionParams, alike, attention, type Projections } from "./attention/attention.ts";
export type { ChunkConfig } from "./attention/chunks.ts";
export { type CrossAttention, crossAttention, type Memory, type Remembered } from "./attention/cross-attention.ts";
export { type AttentionLayer, type AttentionTraits, defineAttention } from "./attention/definition.ts";
export { denseAttention } from "./attention/dense-attention.ts";
export {
  attendFeatures,
  attendFeaturesCausally,
  type BidirectionalFavor,
  bidirectionalFavorAttention,
  type FavorAttentionConfig,
  type FeatureHeads,
  type FeatureState,
  favorAttention,
  reluFeatures,
  type SoftmaxFeaturesConfig,
  softmaxFeatures,
} from "./attention/favor-attention.ts";
export type { HeadsConfig } from "./attention/heads.ts";
export { type LshAttentionConfig, lshAttention } from "./attention/lsh-attention.ts";
export {
  type SelfAttention,
  type SelfAttentionConfig,
  type SelfAttentionParams,
  selfAttention,
} from "./attention/self-attention.ts";
export {
  type AttentionBranchParams,
  attentionBranch,
  type BlockParams,
  block,
  type FeedForwardBranchParams,
  type FeedForwardParts,
  feedForwardBranch,
  residual,
} from "./block.ts";
export { dropout } from "./dropout.ts";
export { type EmbeddingConfig, embedding } from "./embedding.ts";
export { type Activation, activations } from "./feed-forward/activation.ts";
export { defineFeedForward, type FeedForwardDimensions, type FeedForwardTraits } from "./feed-forward/definition.ts";
export { type FeedForwardParams, feedForward } from "./feed-forward/dense.ts";
export {
  type ExpertChoiceConfig,
  type ExpertChoiceParams,
  expertChoice,
} from "./feed-forward/experts/expert-choice.ts";
export { copies, type ExpertsParams } from "./feed-forward/experts/experts.ts";
export {
  type GroupedFeedForwardConfig,
  type GroupedFeedForwardParams,
  groupedFeedForward,
} from "./feed-forward/experts/grouped-feed-forward.ts";
export {
  type MixtureOfTokensConfig,
  type MixtureOfTokensParams,
  mixtureOfTokens,
} from "./feed-forward/experts/mixture-of-tokens.ts";
export {
  type TokenChoiceConfig,
  type TokenChoiceLayer,
  type TokenChoiceParams,
  tokenChoice,
} from "./feed-forward/experts/token-choice.ts";
export { inChunks } from "./feed-forward/in-chunks.ts";
export {
  type BlockSparseFeedForwardConfig,
  type BlockSparseFeedForwardParams,
  blockSparseFeedForward,
  switchFeedForward,
} from "./feed-forward/scaling/block-sparse-feed-forward.ts";
export type { OneOfEachBlockParams } from "./feed-forward/scaling/one-of-each-block.ts";
export { type SparseFeedForwardConfig, sparseFeedForward } from "./feed-forward/scaling/sparse-feed-forward.ts";
export {
  type TraxSparseFeedForwardConfig,
  traxSparseFeedForward,
} from "./feed-forward/scaling/trax-sparse-feed-forward.ts";
export { joinSequences, lengthsOf, secondOfJoined } from "./join-sequences.ts";
export { defineLoss, type LossDimensions, type LossLayer } from "./loss/definition.ts";
export { defineNorm, type NormDimensions } from "./norm/definition.ts";
export { layerNorm } from "./norm/layer-norm.ts";
export { rmsNorm } from "./norm/rms-norm.ts";
export { type AxialPositionsConfig, axialPositions } from "./positions/axial-positions.ts";
export { definePositions, type PositionLayer, type PositionsDimensions } from "./positions/definition.ts";
export {
  type FixedBasePositionsConfig,
  type FixedBasePositionsParams,
  fixedBasePositions,
} from "./positions/fixed-base-positions.ts";
export { learnedPositions } from "./positions/learned-positions.ts";
export { type Rotation, rotary, rotation } from "./positions/rotary.ts";
export { sinusoidalPositions } from "./positions/sinusoidal-positions.ts";
export { activeInputs, type InputFilter } from "./projections/active-inputs.ts";
export { type DenseConfig, type DenseParams, dense } from "./projections/dense.ts";
export { type LocallyConnectedDenseConfig, locallyConnectedDense } from "./projections/locally-connected-dense.ts";
export {
  type LocallyConvolutionalDenseConfig,
  type LocallyConvolutionalDenseParams,
  locallyConvolutionalDense,
} from "./projections/locally-convolutional-dense.ts";
export { type LowRankDenseConfig, type LowRankDenseParams, lowRankDense } from "./projections/low-rank-dense.ts";
export {
  type MultiplicativeDenseConfig,
  type MultiplicativeDenseParams,
  multiplicativeDense,
} from "./projections/multiplicative-dense.ts";
export {
  type MultiplicativeModularDenseParams,
  multiplicativeModularDense,
} from "./projections/multiplicative-modular-dense.ts";
export {
  type RecurrenceConfig,
  type RecurrentBranchParams,
  recurrentBranch,
} from "./recurrence/recurrent-branch.ts";
export { type SruConfig, sru } from "./recurrence/sru.ts";
export { permuteFeatures, type ReversibleSerial, reversibleSerial, type Streams } from "./reversible.ts";
export { joinStreams, ofStreams } from "./streams.ts";
