export { type AttentionParams, attention } from "./attention/attention.ts";
export { type AttentionTraits, defineAttention } from "./attention/definition.ts";
export { denseAttention } from "./attention/dense-attention.ts";
export type { HeadsConfig } from "./attention/heads.ts";
export * from "./block.ts";
export * from "./embedding.ts";
export { type Activation, activations } from "./feed-forward/activation.ts";
export * from "./feed-forward/definition.ts";
export * from "./feed-forward/dense.ts";
export * from "./feed-forward/experts/expert-choice.ts";
export * from "./feed-forward/experts/experts.ts";
export * from "./feed-forward/experts/grouped-feed-forward.ts";
export * from "./feed-forward/experts/mixture-of-tokens.ts";
export * from "./feed-forward/experts/token-choice.ts";
export * from "./feed-forward/scaling/block-sparse-feed-forward.ts";
export type { OneOfEachBlockParams } from "./feed-forward/scaling/one-of-each-block.ts";
export * from "./feed-forward/scaling/sparse-feed-forward.ts";
export * from "./feed-forward/scaling/trax-sparse-feed-forward.ts";
export { defineLoss, type LossDimensions } from "./loss/definition.ts";
export { defineNorm, type NormDimensions } from "./norm/definition.ts";
export { layerNorm } from "./norm/layer-norm.ts";
export { rmsNorm } from "./norm/rms-norm.ts";
export { definePositions, type PositionLayer, type PositionsDimensions } from "./positions/definition.ts";
export { learnedPositions } from "./positions/learned-positions.ts";
export { rotary } from "./positions/rotary.ts";
export * from "./projections/dense.ts";
export * from "./projections/locally-connected-dense.ts";
export {
  type LocallyConvolutionalDenseConfig,
  type LocallyConvolutionalDenseParams,
  locallyConvolutionalDense,
} from "./projections/locally-convolutional-dense.ts";
export * from "./projections/low-rank-dense.ts";
export {
  type MultiplicativeDenseConfig,
  type MultiplicativeDenseParams,
  multiplicativeDense,
} from "./projections/multiplicative-dense.ts";
export * from "./projections/multiplicative-modular-dense.ts";
