export * from "./activation.ts";
export * from "./attention.ts";
export * from "./block.ts";
export * from "./block-sparse-feed-forward.ts";
export * from "./dense.ts";
export * from "./embedding.ts";
export * from "./expert-choice.ts";
export * from "./experts.ts";
export * from "./feed-forward.ts";
export * from "./grouped-feed-forward.ts";
export * from "./locally-connected-dense.ts";
export {
  type LocallyConvolutionalDenseConfig,
  type LocallyConvolutionalDenseParams,
  locallyConvolutionalDense,
} from "./locally-convolutional-dense.ts";
export * from "./loss-layer.ts";
export * from "./low-rank-dense.ts";
export * from "./mixture-of-tokens.ts";
export * from "./multiplicative-convolutional-attention.ts";
export {
  type MultiplicativeDenseConfig,
  type MultiplicativeDenseParams,
  multiplicativeDense,
} from "./multiplicative-dense.ts";
export * from "./multiplicative-modular-dense.ts";
export * from "./norm.ts";
export { learnedPositions, type PositionLayer, type PositionsConfig, sinusoidalPositions } from "./positions.ts";
export { rotary } from "./rotary.ts";
export * from "./sparse-feed-forward.ts";
export * from "./token-choice.ts";
export type { GroupAxis, TokenGroupsConfig } from "./token-groups.ts";
