import { FinegrainError } from "@finegrain/graph";
import { hiddenUnits, type ModelConfig } from "@finegrain/nn";
import type { SpecialTokens } from "../../config.ts";
import { type Family, GPT2_ACTIVATIONS, NORM_EPSILON } from "../architecture.ts";

/** A config.json of transformers, of its version 4, which 5 reads too. */
export type HuggingFaceConfig = Readonly<Record<string, unknown>>;

/** Classes of the families that models are written as. */
const CLASSES: Partial<Record<Family, string>> = {
  llama: "LlamaForCausalLM",
  qwen2: "Qwen2ForCausalLM",
  qwen3: "Qwen3ForCausalLM",
  mixtral: "MixtralForCausalLM",
  olmoe: "OlmoeForCausalLM",
  qwen2_moe: "Qwen2MoeForCausalLM",
  qwen3_moe: "Qwen3MoeForCausalLM",
  gpt2: "GPT2LMHeadModel",
};

type Part<F extends keyof ModelConfig, T extends string> = Extract<ModelConfig[F], { readonly type: T }>;

/**
 * What transformers needs to know of a model, and the family that it is of there.
 * @throws FinegrainError that says what about the model transformers has not.
 */
export function huggingFaceConfig(
  model: ModelConfig,
  { begin, end }: SpecialTokens = {},
): { readonly family: Family; readonly config: HuggingFaceConfig } {
  if (model.objective === "masked") refuse("objective", "the next token");
  if (model.encoder) refuse("encoder", "a model without one");
  if (model.activeInputs) refuse("matrices' input", "read whole");
  const norm = whole<"norm">(model.norm ?? "layer");
  const { family, config } = norm.type === "layer" ? gpt2Config(model, norm) : llamaConfig(model, norm);
  return {
    family,
    config: {
      architectures: [CLASSES[family]],
      model_type: family,
      vocab_size: model.vocabulary,
      ...config,
      tie_word_embeddings: isTied(model),
      bos_token_id: begin ?? null,
      eos_token_id: end ?? null,
      torch_dtype: "float32",
    },
  };
}

interface OfFamily {
  readonly family: Family;
  readonly config: HuggingFaceConfig;
}

function refuse(part: string, expected: string): never {
  const families = Object.keys(CLASSES).join(", ");
  throw new FinegrainError(
    `this model is of none of the families that transformers has (${families}): its ${part} is not ${expected}`,
  );
}

/** What a config says of a part that may be named alone. */
type Whole<F extends "norm" | "positions"> = Exclude<NonNullable<ModelConfig[F]>, string>;

/** A part that may be named alone, with its options. */
const whole = <F extends "norm" | "positions">(part: NonNullable<ModelConfig[F]>): Whole<F> =>
  (typeof part === "string" ? { type: part } : part) as Whole<F>; // what is named alone needs no options

function isTied({ loss = { type: "dense" } }: ModelConfig): boolean {
  if (loss.type !== "tied" && (loss.type !== "dense" || loss.bias !== false))
    refuse("loss layer", "tied, or dense without a bias");
  return loss.type === "tied";
}

function denseAttention({ attention = { type: "dense" } }: ModelConfig): Part<"attention", "dense"> {
  return attention.type === "dense" ? attention : refuse("attention", "dense");
}

function gpt2Config(model: ModelConfig, { epsilon = NORM_EPSILON }: Whole<"norm">): OfFamily {
  const { dModel, layers, heads, maxLength, feedForward = { type: "dense" } } = model;
  const attention = denseAttention(model);
  const { kvHeads = heads, headWidth = dModel / heads, bias = "all", normalize = false } = attention;
  if (kvHeads !== heads || headWidth * heads !== dModel || bias !== "all" || normalize)
    refuse("attention", "GPT-2's, as a LayerNorm asks for: as many heads of keys as of queries, biases everywhere");
  if (whole<"positions">(model.positions ?? "learned").type !== "learned")
    refuse("kind of positions", "learned, as a LayerNorm asks for");
  if (feedForward.type !== "dense" || feedForward.bias === false) refuse("feed-forward layer", "dense with biases");
  const own = feedForward.activation ?? model.activation ?? "relu";
  const activation = Object.entries(GPT2_ACTIVATIONS).find(([, ours]) => ours === own)?.[0];
  if (activation === undefined) refuse("feed-forward layer", "of one activation, as a LayerNorm asks for");
  return {
    family: "gpt2",
    config: {
      n_embd: dModel,
      n_layer: layers,
      n_head: heads,
      n_positions: maxLength,
      n_inner: hiddenUnits(model),
      activation_function: activation,
      layer_norm_epsilon: epsilon,
      ...{ attn_pdrop: 0, embd_pdrop: 0, resid_pdrop: 0 },
    },
  };
}

function llamaConfig(model: ModelConfig, norm: Whole<"norm">): OfFamily {
  if (norm.type !== "rms" || norm.bias) return refuse("norm", "rms without a bias");
  const { dModel, layers, heads, maxLength } = model;
  const attention = denseAttention(model);
  const { kvHeads = heads, headWidth = dModel / heads, bias = "all", normalize = false } = attention;
  const { epsilon = NORM_EPSILON } = norm;
  const experts = routedOf(model);
  const family = familyFor(model, attention, experts);
  if (normalize && (bias === "qkv" || (attention.epsilon ?? NORM_EPSILON) !== epsilon))
    refuse("norm of queries and keys", "with the epsilon of the others, and biases everywhere or nowhere");
  const units = hiddenUnits(model) / (experts?.experts ?? 1);
  return {
    family,
    config: {
      hidden_size: dModel,
      intermediate_size: units,
      num_hidden_layers: layers,
      num_attention_heads: heads,
      num_key_value_heads: kvHeads,
      head_dim: headWidth,
      max_position_embeddings: maxLength,
      hidden_act: "silu",
      rms_norm_eps: epsilon,
      ...ropeOf(model),
      ...(family === "qwen2_moe"
        ? { qkv_bias: bias === "qkv" }
        : family !== "qwen2" && { attention_bias: bias === "all" }),
      ...(family === "llama" && { mlp_bias: false }),
      ...(experts && routingOf(family, experts, units)),
    },
  };
}

type Routed = Part<"feedForward", "token-choice">;

/** The experts of a model that has them. */
function routedOf({ feedForward = { type: "dense" }, activation }: ModelConfig): Routed | undefined {
  if (feedForward.type === "token-choice") {
    if (feedForward.activation !== "silu" || !feedForward.gated || feedForward.bias)
      refuse("feed-forward layer", "of gated silu units without biases");
    return feedForward;
  }
  if (feedForward.type !== "dense") return refuse("feed-forward layer", "dense, nor token-choice");
  if ((feedForward.activation ?? activation) !== "swiglu" || feedForward.bias !== false)
    refuse("feed-forward layer", "swiglu without biases");
  return undefined;
}

/** Which of the families has such attention with such experts. */
function familyFor(model: ModelConfig, attention: Part<"attention", "dense">, experts: Routed | undefined): Family {
  const { bias = "all", normalize = false, normalizeOver = "head", headWidth = model.dModel / model.heads } = attention;
  const overAll = normalize && normalizeOver === "all";
  if (headWidth !== model.dModel / model.heads && (bias === "qkv" || overAll || experts?.sharedUnits))
    refuse("head", "the width over the heads");
  if (experts === undefined) {
    if (overAll) refuse("norm of queries and keys", "over each head, where there are no experts");
    return normalize ? "qwen3" : bias === "qkv" ? "qwen2" : "llama";
  }
  if (experts.sharedUnits !== undefined) {
    if (!experts.sharedGate || normalize || bias === "all")
      refuse("expert that every token goes through", "one with a gate, beside attention without norms and output bias");
    return "qwen2_moe";
  }
  if (normalize) return overAll ? "olmoe" : "qwen3_moe";
  if (!experts.normalizeChosen || bias !== "none")
    refuse("layer of experts", "one whose shares sum to 1, beside attention without biases or norms");
  return "mixtral";
}

/** How tokens go to experts. */
const routingOf = (
  family: Family,
  { experts, k = 1, normalizeChosen = false, sharedUnits }: Routed,
  units: number,
) => ({
  [family === "mixtral" ? "num_local_experts" : "num_experts"]: experts,
  num_experts_per_tok: k,
  ...(family !== "mixtral" && { norm_topk_prob: normalizeChosen }),
  ...(family.startsWith("qwen") && { moe_intermediate_size: units, decoder_sparse_step: 1, mlp_only_layers: [] }),
  ...(sharedUnits !== undefined && { shared_expert_intermediate_size: sharedUnits }),
});

/** How queries and keys turn. */
function ropeOf(model: ModelConfig): HuggingFaceConfig {
  const positions = whole<"positions">(model.positions ?? "learned");
  if (positions.type !== "rotary") return refuse("kind of positions", "rotary, as RMSNorm asks for");
  const { base = 10_000, scaling = "none", factor, lowFrequency, highFrequency, trainedLength } = positions;
  const llama3 = {
    low_freq_factor: lowFrequency,
    high_freq_factor: highFrequency,
    original_max_position_embeddings: trainedLength,
  };
  return {
    rope_theta: base,
    rope_scaling: scaling === "none" ? null : { rope_type: scaling, factor, ...(scaling === "llama3" && llama3) },
  };
}
