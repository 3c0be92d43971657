import { FinegrainError } from "@finegrain/graph";
import { expectDivisible, expectPositive } from "../config-error.ts";
import type { FeedForwardConfig } from "../layers/feed-forward.ts";
import type { LossLayerConfig } from "../layers/loss-layer.ts";
import type { MultiplicativeConvolutionalAttentionConfig } from "../layers/multiplicative-convolutional-attention.ts";
import type { SparseFeedForwardConfig } from "../layers/sparse-feed-forward.ts";

export type AttentionConfig =
  | { readonly type: "dense" }
  | ({ readonly type: "multiplicative-convolutional" } & Omit<
      MultiplicativeConvolutionalAttentionConfig,
      "dModel" | "heads" | "rotary"
    >)
  | { readonly type: "multiplicative" | "multiplicative-modular"; readonly modules: number }
  | { readonly type: "modular" | "convolutional"; readonly modules: number; readonly kernel?: number }
  | { readonly type: "low-rank"; readonly rank: number };

export type FeedForwardType =
  | { readonly type: "dense" }
  | ({ readonly type: "sparse" } & Omit<SparseFeedForwardConfig, "dModel" | "dFf">);

/** A language model's architecture: plain data, saved beside its checkpoint. */
export interface ModelConfig {
  readonly vocabulary: number;
  readonly dModel: number;
  /** Hidden units of a feed-forward layer. */
  readonly dFf: number;
  readonly layers: number;
  readonly heads: number;
  /** The longest text, in tokens. */
  readonly maxLength: number;
  /** "learned" is a trained table that starts as sinusoids; "sinusoidal" is fixed. Default "learned". */
  readonly positions?: "learned" | "sinusoidal" | "rotary" | "none";
  /** Default dense. */
  readonly feedForward?: FeedForwardType;
  /** Default dense. */
  readonly attention?: AttentionConfig;
  /** Default dense. */
  readonly loss?: LossLayerConfig;
  /** Default "layer": LayerNorm; "rms" is RMSNorm. */
  readonly norm?: "layer" | "rms";
  /** Of a dense feed-forward layer; a sparse one is "relu". Default "relu". */
  readonly activation?: NonNullable<FeedForwardConfig["activation"]>;
}

const choices = {
  positions: ["learned", "sinusoidal", "rotary", "none"],
  norm: ["layer", "rms"],
  activation: ["relu", "gelu", "fastGelu", "silu", "swiglu"],
} as const;

const types = {
  feedForward: ["dense", "sparse"],
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
    expectOneOf(name, config[name as keyof typeof choices], allowed);
  for (const [name, allowed] of Object.entries(types))
    expectOneOf(`${name}.type`, config[name as keyof typeof types]?.type, allowed);
  const width = expectDivisible("model config", "dModel", config.dModel, "heads", config.heads);
  if (config.positions === "rotary" && width % 2 !== 0)
    throw new FinegrainError(`model config: rotary positions need an even head width, not ${width}`);
  checkFeedForward(config);
  checkAttention(config);
  if (config.loss?.type === "multiplicative")
    expectDivisible("model config", "vocabulary", config.vocabulary, "loss.modules", config.loss.modules);
  if (config.loss?.type === "low-rank") expectPositive("model config", "loss.rank", config.loss.rank);
}

function expectOneOf(name: string, value: string | undefined, allowed: readonly string[]): void {
  if (value !== undefined && !allowed.includes(value))
    throw new FinegrainError(`model config: ${name} must be one of ${allowed.join(", ")}, not "${value}"`);
}

function checkFeedForward({ dFf, feedForward, activation }: ModelConfig): void {
  if (feedForward?.type !== "sparse") return;
  expectDivisible("model config", "dFf", dFf, "feedForward.blockSize", feedForward.blockSize);
  if (feedForward.rank !== undefined) expectPositive("model config", "feedForward.rank", feedForward.rank);
  if (activation !== undefined && activation !== "relu")
    throw new FinegrainError(`model config: a sparse feed-forward layer has the activation relu, not ${activation}`);
  const { quantizeProbability: q, temperature: t } = feedForward;
  if (q !== undefined && !(q >= 0 && q <= 1))
    throw new FinegrainError(`model config: feedForward.quantizeProbability must be from 0 to 1, not ${q}`);
  if (t !== undefined && !(t >= 0))
    throw new FinegrainError(`model config: feedForward.temperature must be at least 0, not ${t}`);
}

function checkAttention({ dModel, heads, attention }: ModelConfig): void {
  if (attention === undefined || attention.type === "dense") return;
  if (attention.type === "low-rank") {
    expectPositive("model config", "attention.rank", attention.rank);
    return;
  }
  expectDivisible("model config", "dModel", dModel, "attention.modules", attention.modules);
  if (attention.type !== "multiplicative-convolutional") return;
  expectDivisible("model config", "heads", heads, "attention.modules", attention.modules);
  if (attention.lengthKernel !== undefined)
    expectPositive("model config", "attention.lengthKernel", attention.lengthKernel);
  expectOneOf("attention.values", attention.values, ["none", "fixed", "original"]);
  expectOneOf("attention.output", attention.output, ["none", "mult", "conv", "multconv"]);
}
