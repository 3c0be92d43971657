import { FinegrainError } from "@finegrain/graph";
import { expectDivisible, expectOneOf, expectPositive } from "../config-error.ts";
import type { MultiplicativeConvolutionalAttentionConfig } from "../layers/attention/multiplicative-convolutional-attention.ts";

import type { Activation } from "../layers/feed-forward/activation.ts";
import type { LossLayerConfig } from "../layers/projections/loss-layer.ts";
import type { FeedForwardType } from "./feed-forward.ts";

export type AttentionConfig =
  | { readonly type: "dense" }
  | ({ readonly type: "multiplicative-convolutional" } & Omit<
      MultiplicativeConvolutionalAttentionConfig,
      "dModel" | "heads" | "rotary"
    >)
  | { readonly type: "multiplicative" | "multiplicative-modular"; readonly modules: number }
  | { readonly type: "modular" | "convolutional"; readonly modules: number; readonly kernel?: number }
  | { readonly type: "low-rank"; readonly rank: number };

/** A language model's architecture: plain data, saved beside its checkpoint. */
export interface ModelConfig {
  readonly vocabulary: number;
  readonly dModel: number;
  /** Hidden units of a feed-forward layer, of all its experts together. */
  readonly dFf: number;
  readonly layers: number;
  readonly heads: number;
  /** The longest text, in tokens. */
  readonly maxLength: number;
  /** "learned" is a trained table that starts as sinusoids; "sinusoidal" is fixed. Default "learned". */
  readonly positions?: "learned" | "sinusoidal" | "rotary" | "none";
  /**
   * "causal" predicts the next token from those before it; "masked" predicts hidden tokens from all others, with attention in
   * both directions and a row more in the embedding, for the token that hides. Default "causal".
   */
  readonly objective?: "causal" | "masked";
  /** Default dense. */
  readonly feedForward?: FeedForwardType;
  /** Default dense. */
  readonly attention?: AttentionConfig;
  /** Default dense. */
  readonly loss?: LossLayerConfig;
  /** Default "layer": LayerNorm; "rms" is RMSNorm. */
  readonly norm?: "layer" | "rms";
  /** Of a dense feed-forward layer; others have their own. Default "relu". */
  readonly activation?: Activation | "swiglu";
}

const choices = {
  objective: ["causal", "masked"],
  positions: ["learned", "sinusoidal", "rotary", "none"],
  norm: ["layer", "rms"],
  activation: ["relu", "gelu", "fastGelu", "silu", "swiglu"],
} as const;

const types = {
  attention: [
    "dense",
    "multiplicative-convolutional",
    "multiplicative",
    "multiplicative-modular",
    "modular",
    "convolutional",
    "low-rank",
  ],
  loss: ["dense", "multiplicative", "low-rank"],
} as const;

/**
 * Refuse a config that no model can have, before anything is built.
 * @throws FinegrainError one sentence with the names and numbers that do not fit.
 */
export function checkConfig(config: ModelConfig): void {
  for (const name of ["vocabulary", "dModel", "dFf", "layers", "heads", "maxLength"] as const)
    expectPositive("model config", name, config[name]);
  for (const [name, allowed] of Object.entries(choices))
    expectOneOf(`model config: ${name}`, config[name as keyof typeof choices], allowed);
  for (const [name, allowed] of Object.entries(types))
    expectOneOf(`model config: ${name}.type`, config[name as keyof typeof types]?.type, allowed);
  const width = expectDivisible("model config", "dModel", config.dModel, "heads", config.heads);
  if (config.positions === "rotary" && width % 2 !== 0)
    throw new FinegrainError(`model config: rotary positions need an even head width, not ${width}`);
  checkAttention(config);
  checkObjective(config);
  if (config.loss?.type === "multiplicative")
    expectDivisible("model config", "vocabulary", config.vocabulary, "loss.modules", config.loss.modules);
  if (config.loss?.type === "low-rank") expectPositive("model config", "loss.rank", config.loss.rank);
}

function checkAttention({ dModel, heads, attention }: ModelConfig): void {
  if (attention === undefined || attention.type === "dense") return;
  if (attention.type === "low-rank") {
    expectPositive("model config", "attention.rank", attention.rank);
    return;
  }
  expectDivisible("model config", "dModel", dModel, "attention.modules", attention.modules);
  if (attention.type !== "multiplicative-convolutional") return;
  if (attention.acrossHeads !== true)
    expectDivisible("model config", "heads", heads, "attention.modules", attention.modules);
  if (attention.lengthKernel !== undefined)
    expectPositive("model config", "attention.lengthKernel", attention.lengthKernel);
  expectOneOf("model config: attention.values", attention.values, ["none", "fixed", "original"]);
  expectOneOf("model config: attention.output", attention.output, ["none", "mult", "conv", "multconv"]);
}

function checkObjective({ objective, attention }: ModelConfig): void {
  if (objective === "masked" && attention?.type === "multiplicative-convolutional")
    throw new FinegrainError(
      "model config: a masked language model needs attention in both directions, and multiplicative-convolutional attention is causal",
    );
}
