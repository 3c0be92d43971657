import { FinegrainError, type JsonObject, jsonObject, shownJson } from "@finegrain/graph";
import { type Architecture, expectFamily, type Rotary } from "../architecture.ts";
import { fieldReader } from "../fields.ts";

/**
 * What a config.json of transformers says, of its version 4 or 5.
 * @throws FinegrainError where a field is missing or wrong, or the model is one that is not known.
 */
export function readHuggingFaceConfig(config: JsonObject, path: string): Architecture {
  const family = expectFamily(config.model_type, path);
  const fields = fieldReader((name) => config[name], path);
  const activation = fields.text("hidden_act") ?? "silu";
  if (activation !== "silu") throw new FinegrainError(`${path}: hidden_act "${activation}" is not known: only silu is`);
  if (fields.flag("mlp_bias", false)) throw new FinegrainError(`${path}: mlp_bias is not known`);
  const [dModel, heads] = [fields.whole("hidden_size"), fields.whole("num_attention_heads")];
  return {
    family,
    vocabulary: fields.whole("vocab_size"),
    dModel,
    dFf: fields.whole("intermediate_size"),
    layers: fields.whole("num_hidden_layers"),
    heads,
    kvHeads: fields.whole("num_key_value_heads", heads),
    headWidth: fields.whole("head_dim", family === "qwen3" ? 128 : dModel / heads),
    maxLength: fields.whole("max_position_embeddings"),
    window: windowOf(config, path, family.startsWith("qwen")),
    epsilon: fields.number("rms_norm_eps"),
    rotary: rotaryOf(config, path),
    tied: fields.flag("tie_word_embeddings", false),
    attentionBias: family === "qwen2" ? "qkv" : fields.flag("attention_bias", false) ? "all" : "none",
  };
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
