import type { ModelConfig } from "./config.ts";
import type { LanguageModel } from "./language-model.ts";
import { type LanguageModelParams, scalingLM } from "./scaling-lm.ts";

export type DenseLMConfig = Omit<ModelConfig, "feedForward" | "attention" | "loss">;

/**
 * The dense Transformer that the sparse one is measured against: a {@link scalingLM} with nothing sparse turned on.
 * @throws FinegrainError where parts of the config do not fit.
 */
export const denseLM = (config: DenseLMConfig): LanguageModel<LanguageModelParams> =>
  scalingLM({ ...config, feedForward: { type: "dense" }, attention: { type: "dense" }, loss: { type: "dense" } });
