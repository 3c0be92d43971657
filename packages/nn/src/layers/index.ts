export * from "./attention/attention.ts";
export * from "./attention/multiplicative-convolutional-attention.ts";
export * from "./block.ts";
export * from "./embedding.ts";
export { type Activation, activations } from "./feed-forward/activation.ts";
export { feedForwards } from "./feed-forward/catalog.ts";
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
export * from "./norm/norm.ts";
export {
  learnedPositions,
  type PositionLayer,
  type PositionsConfig,
  sinusoidalPositions,
} from "./positions/positions.ts";
export { rotary } from "./positions/rotary.ts";
export * from "./projections/dense.ts";
export * from "./projections/locally-connected-dense.ts";
export {
  type LocallyConvolutionalDenseConfig,
  type LocallyConvolutionalDenseParams,
  locallyConvolutionalDense,
} from "./projections/locally-convolutional-dense.ts";
export * from "./projections/loss-layer.ts";
export * from "./projections/low-rank-dense.ts";
export {
  type MultiplicativeDenseConfig,
  type MultiplicativeDenseParams,
  multiplicativeDense,
} from "./projections/multiplicative-dense.ts";
export * from "./projections/multiplicative-modular-dense.ts";
