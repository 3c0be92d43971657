export * from "./config.ts";
export * from "./dense-lm.ts";
export * from "./equal-parameters.ts";
export * from "./language-model.ts";
export { attentionOf, feedForwardOf } from "./parts.ts";
export * from "./presets.ts";
export * from "./scaling-lm.ts";
