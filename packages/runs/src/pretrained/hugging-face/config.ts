import { FinegrainError, type JsonObject, jsonObject, shownJson } from "@finegrain/graph";
import {
  type Architecture,
  FAMILIES,
  type Family,
  familyOf,
  GPT2_ACTIVATIONS,
  gpt2Like,
  type LlamaLike,
  llamaLike,
  type Rotary,
  type Routing,
} from "../architecture.ts";
import { type FieldReader, fieldReader } from "../fields.ts";

const NAMES: ReadonlyMap<string, Family> = new Map(FAMILIES.map((family) => [family, family]));

/**
 * What a config.json of transformers says, of its version 4 or 5.
 * @throws FinegrainError where a field is missing or wrong, or the model is one that is not known.
 */
export function readHuggingFaceConfig(config: JsonObject, path: string): Architecture {
  const family = familyOf(config.model_type, NAMES, path);
  const fields = fieldReader((name) => config[name], path);
  return family === "gpt2" ? readGpt2(fields, path) : readLlamaLike(family, config, fields, path);
}

function readLlamaLike(
  family: LlamaLike["family"],
  config: JsonObject,
  fields: FieldReader,
  path: string,
): Architecture {
  const activation = fields.text("hidden_act") ?? "silu";
  if (activation !== "silu") throw new FinegrainError(`${path}: hidden_act "${activation}" is not known: only silu is`);
  if (fields.flag("mlp_bias", false)) throw new FinegrainError(`${path}: mlp_bias is not known`);
  if (config.clip_qkv != null) throw new FinegrainError(`${path}: clip_qkv is not known`);
  const [dModel, heads] = [fields.whole("hidden_size"), fields.whole("num_attention_heads")];
  const routing = routingOf(family, config, fields, path);
  const qwen2Bias = family === "qwen2" || (family === "qwen2_moe" && fields.flag("qkv_bias", true));
  return llamaLike({
    family,
    vocabulary: fields.whole("vocab_size"),
    dModel,
    dFf: fields.whole(family.startsWith("qwen") && routing ? "moe_intermediate_size" : "intermediate_size"),
    layers: fields.whole("num_hidden_layers"),
    heads,
    kvHeads: fields.whole("num_key_value_heads", heads),
    headWidth: fields.whole("head_dim", family.startsWith("qwen3") ? 128 : dModel / heads),
    maxLength: fields.whole("max_position_embeddings"),
    window: windowOf(config, path, family.startsWith("qwen")),
    epsilon: fields.number("rms_norm_eps"),
    rotary: rotaryOf(config, path),
    tied: fields.flag("tie_word_embeddings", false),
    attentionBias: qwen2Bias ? "qkv" : fields.flag("attention_bias", false) ? "all" : "none",
    routing,
  });
}

/** How tokens go to experts, in families that have them. */
function routingOf(family: Family, config: JsonObject, fields: FieldReader, path: string): Routing | undefined {
  if (family !== "mixtral" && family !== "olmoe" && !family.endsWith("_moe")) return undefined;
  const denseLayers = config.mlp_only_layers;
  if (fields.whole("decoder_sparse_step", 1) !== 1 || (Array.isArray(denseLayers) && denseLayers.length > 0))
    throw new FinegrainError(`${path}: layers of which only some have experts are not known`);
  const named = config.num_local_experts == null ? "num_experts" : "num_local_experts";
  return {
    experts: fields.whole(named),
    k: fields.whole("num_experts_per_tok"),
    normalizeChosen: family === "mixtral" || fields.flag("norm_topk_prob", false),
    ...(family === "qwen2_moe" && { sharedUnits: fields.whole("shared_expert_intermediate_size") }),
  };
}

function readGpt2(fields: FieldReader, path: string): Architecture {
  const activation = fields.text("activation_function") ?? "gelu_new";
  const known = Object.keys(GPT2_ACTIVATIONS) as (keyof typeof GPT2_ACTIVATIONS)[]; // whose type is any text
  const found = known.find((name) => name === activation);
  if (found === undefined)
    throw new FinegrainError(
      `${path}: activation_function "${activation}" is not known: known are ${known.join(", ")}`,
    );
  if (!fields.flag("scale_attn_weights", true) || fields.flag("scale_attn_by_inverse_layer_idx", false))
    throw new FinegrainError(`${path}: attention that is scaled by another number than its heads' width is not known`);
  const dModel = fields.whole("n_embd");
  return gpt2Like({
    vocabulary: fields.whole("vocab_size"),
    dModel,
    dFf: fields.whole("n_inner", 4 * dModel),
    layers: fields.whole("n_layer"),
    heads: fields.whole("n_head"),
    maxLength: fields.whole("n_positions"),
    epsilon: fields.number("layer_norm_epsilon"),
    tied: fields.flag("tie_word_embeddings", true),
    activation: found,
  });
}

/** Qwen's window is there only where it is used, and then in some of the layers. */
function windowOf(config: JsonObject, path: string, isQwen: boolean): number | undefined {
  const fields = fieldReader((name) => config[name], path);
  if ((isQwen && !fields.flag("use_sliding_window", false)) || config.sliding_window == null) return undefined;
  return fields.whole("sliding_window");
}

function rotaryOf(config: JsonObject, path: string): Rotary {
  const own = config.rope_parameters ?? config.rope_scaling ?? {};
  const scaling = jsonObject(own, `${path}: ${config.rope_parameters == null ? "rope_scaling" : "rope_parameters"}`);
  const fields = fieldReader((name) => scaling[name] ?? config[name], path);
  if ((scaling.partial_rotary_factor ?? config.partial_rotary_factor ?? 1) !== 1)
    throw new FinegrainError(`${path}: a partial_rotary_factor is not known`);
  const base = fields.number("rope_theta", 10_000);
  const type = scaling.rope_type ?? scaling.type ?? "default";
  if (type === "default") return { base };
  if (type === "linear") return { base, scaling: type, factor: fields.number("factor") };
  if (type === "llama3")
    return {
      base,
      scaling: type,
      factor: fields.number("factor"),
      lowFrequency: fields.number("low_freq_factor"),
      highFrequency: fields.number("high_freq_factor"),
      trainedLength: fields.whole("original_max_position_embeddings"),
    };
  throw new FinegrainError(
    `${path}: the rope scaling ${shownJson(type)} is not known: known are default, linear, llama3`,
  );
}
