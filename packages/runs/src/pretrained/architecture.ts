import { FinegrainError, shownJson } from "@finegrain/graph";
import type { ModelConfig } from "@finegrain/nn";

/** Families of models that are known: the models of one differ in what their config says alone. */
export const FAMILIES = [
  "llama",
  "mistral",
  "qwen2",
  "qwen3",
  "mixtral",
  "olmoe",
  "qwen2_moe",
  "qwen3_moe",
  "gpt2",
] as const;
export type Family = (typeof FAMILIES)[number];

/**
 * The family of that name.
 * @param known names of families in files of the form.
 * @throws FinegrainError that names an architecture which is not known.
 */
export function familyOf(name: unknown, known: ReadonlyMap<string, Family>, path: string): Family {
  const family = typeof name === "string" ? known.get(name) : undefined;
  if (family === undefined)
    throw new FinegrainError(
      `${path}: ${name === undefined ? "no architecture is named" : `the architecture ${shownJson(name)} is not known`}: known are ${[...known.keys()].join(", ")}`,
    );
  return family;
}

/** A model as its files describe it, whichever form they have. */
export interface Architecture {
  readonly family: Family;
  readonly model: ModelConfig;
  /** Features of a head. */
  readonly headWidth: number;
}

/** What all families have. */
interface Dimensions {
  readonly vocabulary: number;
  readonly dModel: number;
  readonly layers: number;
  readonly heads: number;
  /** The longest text, in tokens. */
  readonly maxLength: number;
  readonly epsilon: number;
  /** Logits are made by the embedding's table. */
  readonly tied: boolean;
}

/** What is said of a model of Llama's kind: RMSNorm, positions that turn queries and keys, gated units, no biases but of attention. */
export interface LlamaLike extends Dimensions {
  readonly family: Exclude<Family, "gpt2">;
  /** Hidden units of a feed-forward layer, or of one expert. */
  readonly dFf: number;
  readonly kvHeads: number;
  readonly headWidth: number;
  /** Tokens that attention reaches back, where it does not see all. */
  readonly window?: number | undefined;
  readonly rotary: Rotary;
  readonly attentionBias: "all" | "qkv" | "none";
  /** Where feed-forward layers are of experts. */
  readonly routing?: Routing | undefined;
}

/** Of norms, where a config of ours says nothing. */
export const NORM_EPSILON = 1e-6;

/** How tokens go to experts. */
export interface Routing {
  readonly experts: number;
  /** Experts that a token takes. */
  readonly k: number;
  /** What they count sums to 1. */
  readonly normalizeChosen: boolean;
  /** Units of an expert that every token goes through, times a gate. */
  readonly sharedUnits?: number | undefined;
}

/** How queries and keys turn: options of the rotary positions. */
export type Rotary = Omit<Extract<ModelConfig["positions"], { readonly type: "rotary" }>, "type">;

/**
 * A model of Llama's kind. Texts are no longer than the window of its attention, within which a window makes no difference. Experts have
 * room for all tokens, since those that trained them dropped none.
 */
export function llamaLike(given: LlamaLike): Architecture {
  const { family, dModel, dFf, heads, kvHeads, headWidth, epsilon, routing } = given;
  const isNormalized = family === "qwen3" || family === "qwen3_moe" || family === "olmoe";
  const model: ModelConfig = {
    ...dimensionsOf(given),
    dFf: dFf * (routing?.experts ?? 1),
    maxLength: Math.min(given.maxLength, given.window ?? given.maxLength),
    positions: { type: "rotary", ...given.rotary },
    norm: { type: "rms", epsilon },
    feedForward: routing ? expertsOf(routing) : { type: "dense", activation: "swiglu", bias: false },
    attention: {
      type: "dense",
      ...(kvHeads !== heads && { kvHeads }),
      ...(headWidth !== dModel / heads && { headWidth }),
      bias: given.attentionBias,
      ...(isNormalized && { normalize: true, epsilon }),
      ...(family === "olmoe" && { normalizeOver: "all" }),
    },
  };
  return { family, model, headWidth };
}

const expertsOf = ({ experts, k, normalizeChosen, sharedUnits }: Routing): NonNullable<ModelConfig["feedForward"]> => ({
  type: "token-choice",
  experts,
  k,
  capacityFactor: experts / k,
  activation: "silu",
  gated: true,
  ...(normalizeChosen && { normalizeChosen }),
  ...(sharedUnits !== undefined && { sharedUnits, sharedGate: true }),
});

/** Activations of GPT-2's units by their names in transformers. */
export const GPT2_ACTIVATIONS = { relu: "relu", gelu: "gelu", gelu_new: "fastGelu", silu: "silu" } as const;

/** What is said of a model of GPT-2's kind: LayerNorm, a table of positions, biases everywhere. */
export interface Gpt2Like extends Dimensions {
  readonly dFf: number;
  readonly activation: keyof typeof GPT2_ACTIVATIONS;
}

export const gpt2Like = (given: Gpt2Like): Architecture => ({
  family: "gpt2",
  model: {
    ...dimensionsOf(given),
    dFf: given.dFf,
    positions: "learned",
    norm: { type: "layer", epsilon: given.epsilon },
    feedForward: { type: "dense", activation: GPT2_ACTIVATIONS[given.activation], bias: true },
    attention: { type: "dense", bias: "all" },
  },
  headWidth: given.dModel / given.heads,
});

const dimensionsOf = ({ vocabulary, dModel, layers, heads, maxLength, tied }: Dimensions) => ({
  vocabulary,
  dModel,
  layers,
  heads,
  maxLength,
  loss: tied ? ({ type: "tied" } as const) : ({ type: "dense", bias: false } as const),
});
