export * from "./config.ts";
export * from "./dense-lm.ts";
export * from "./equal-parameters.ts";
export { type FeedForwardType, feedForwardOf, feedForwardTypes } from "./feed-forward.ts";
export * from "./language-model.ts";
export { attentionOf } from "./parts.ts";
export * from "./presets.ts";
export * from "./scaling-lm.ts";
