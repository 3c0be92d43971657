import { FinegrainError } from "@finegrain/graph";
import { hiddenUnits, type ModelConfig } from "@finegrain/nn";
import type { SpecialTokens } from "../../config.ts";
import type { Family } from "../architecture.ts";

/** A config.json of transformers, of its version 4, which 5 reads too. */
export type HuggingFaceConfig = Readonly<Record<string, unknown>>;

const CLASSES: Partial<Record<Family, string>> = {
  llama: "LlamaForCausalLM",
  qwen2: "Qwen2ForCausalLM",
  qwen3: "Qwen3ForCausalLM",
};

/** Of norms, where a config says nothing. */
const EPSILON = 1e-6;

/**
 * What transformers needs to know of a model.
 * @throws FinegrainError that says what about the model transformers has not.
 */
export function huggingFaceConfig(model: ModelConfig, { begin, end }: SpecialTokens = {}): HuggingFaceConfig {
  const { vocabulary, dModel, layers, heads, maxLength } = model;
  const { family, attention, epsilon, tied } = partsOf(model);
  const { kvHeads = heads, headWidth = dModel / heads, bias = "all" } = attention;
  return {
    architectures: [CLASSES[family]],
    model_type: family,
    vocab_size: vocabulary,
    hidden_size: dModel,
    intermediate_size: hiddenUnits(model),
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: kvHeads,
    head_dim: headWidth,
    max_position_embeddings: maxLength,
    hidden_act: "silu",
    rms_norm_eps: epsilon,
    ...ropeOf(model),
    tie_word_embeddings: tied,
    ...(family !== "qwen2" && { attention_bias: bias === "all" }),
    ...(family === "llama" && { mlp_bias: false }),
    bos_token_id: begin ?? null,
    eos_token_id: end ?? null,
    torch_dtype: "float32",
  };
}

type DenseAttention = Extract<ModelConfig["attention"], { readonly type: "dense" }>;
type Norm = Extract<ModelConfig["norm"], { readonly type: "rms" }>;
type Rotary = Extract<ModelConfig["positions"], { readonly type: "rotary" }>;

function partsOf(model: ModelConfig) {
  const refuse = (part: string, expected: string): never => {
    throw new FinegrainError(
      `this model is of none of the families that transformers has (${Object.keys(CLASSES).join(", ")}): its ${part} is not ${expected}`,
    );
  };
  const { feedForward = { type: "dense" }, attention = { type: "dense" }, loss = { type: "dense" } } = model;
  const { norm = "layer" } = model;
  const rms: Norm | undefined =
    norm === "rms" ? { type: norm } : typeof norm === "object" && norm.type === "rms" ? norm : undefined;
  if (rms === undefined || rms.bias) return refuse("norm", "rms without a bias");
  if (feedForward.type !== "dense") return refuse("feed-forward layer", "dense");
  if ((feedForward.activation ?? model.activation) !== "swiglu" || feedForward.bias !== false)
    return refuse("feed-forward layer", "swiglu without biases");
  if (attention.type !== "dense") return refuse("attention", "dense");
  if (loss.type !== "tied" && (loss.type !== "dense" || loss.bias !== false))
    return refuse("loss layer", "tied, or dense without a bias");
  if (model.objective === "masked") return refuse("objective", "the next token");
  const { epsilon = EPSILON } = rms;
  const { bias = "all", normalize = false } = attention;
  const family: Family = normalize ? "qwen3" : bias === "qkv" ? "qwen2" : "llama";
  if (normalize && (bias === "qkv" || (attention.epsilon ?? EPSILON) !== epsilon))
    return refuse("norm of queries and keys", "with the epsilon of the others, and biases everywhere or nowhere");
  if (family === "qwen2" && (attention.headWidth ?? model.dModel / model.heads) !== model.dModel / model.heads)
    return refuse("head", "the width over the heads");
  return { family, attention: attention as DenseAttention, epsilon, tied: loss.type === "tied" };
}

/** How queries and keys turn. */
function ropeOf({ positions }: ModelConfig): HuggingFaceConfig {
  const chosen: Rotary | undefined =
    positions === "rotary"
      ? { type: positions }
      : typeof positions === "object" && positions.type === "rotary"
        ? positions
        : undefined;
  if (chosen === undefined)
    throw new FinegrainError("the families that transformers has turn queries and keys: this model's positions do not");
  const { base = 10_000, scaling = "none", factor, lowFrequency, highFrequency, trainedLength } = chosen;
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
