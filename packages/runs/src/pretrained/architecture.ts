import { FinegrainError } from "@finegrain/graph";
import type { ModelConfig } from "@finegrain/nn";

/** Families of models that are known: their blocks differ in what their config says alone. */
export const FAMILIES = ["llama", "mistral", "qwen2", "qwen3"] as const;
export type Family = (typeof FAMILIES)[number];

/** @throws FinegrainError that names an architecture which is not known. */
export function expectFamily(name: unknown, path: string): Family {
  const family = FAMILIES.find((known) => known === name);
  if (family === undefined)
    throw new FinegrainError(`${path}: the architecture "${name}" is not known: known are ${FAMILIES.join(", ")}`);
  return family;
}

/** What a model's files say of it, whichever form they have. */
export interface Architecture {
  readonly family: Family;
  readonly vocabulary: number;
  readonly dModel: number;
  readonly dFf: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headWidth: number;
  /** The longest text, in tokens. */
  readonly maxLength: number;
  /** Tokens that attention reaches back, where it does not see all. */
  readonly window?: number | undefined;
  readonly epsilon: number;
  readonly rotary: Rotary;
  /** Logits are made by the embedding's table. */
  readonly tied: boolean;
  readonly attentionBias: "all" | "qkv" | "none";
}

/** How queries and keys turn: options of the rotary positions. */
export type Rotary = Omit<Extract<ModelConfig["positions"], { readonly type: "rotary" }>, "type">;

/**
 * The config of a model of such an architecture. Texts are no longer than the window of its attention, within which a window makes no
 * difference.
 */
export function modelOf(given: Architecture): ModelConfig {
  const { family, vocabulary, dModel, dFf, layers, heads, kvHeads, headWidth, epsilon } = given;
  return {
    vocabulary,
    dModel,
    dFf,
    layers,
    heads,
    maxLength: Math.min(given.maxLength, given.window ?? given.maxLength),
    positions: { type: "rotary", ...given.rotary },
    norm: { type: "rms", epsilon },
    feedForward: { type: "dense", activation: "swiglu", bias: false },
    attention: {
      type: "dense",
      ...(kvHeads !== heads && { kvHeads }),
      ...(headWidth !== dModel / heads && { headWidth }),
      bias: given.attentionBias,
      ...(family === "qwen3" && { normalize: true, epsilon }),
    },
    loss: given.tied ? { type: "tied" } : { type: "dense", bias: false },
  };
}
