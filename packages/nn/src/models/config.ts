import { expectDivisible, expectOneOf, expectPositive } from "../config-error.ts";
import { place } from "../definition/layer-definition.ts";
import type { Activation } from "../layers/feed-forward/activation.ts";
import type { RecurrenceConfig } from "../layers/recurrence/recurrent-branch.ts";
import type { AttentionConfig, FeedForwardConfig, LossConfig, NormConfig, PositionsConfig } from "./catalogs.ts";
import { checkLora, type LoraConfig } from "./lora-config.ts";

/** A language model's architecture: plain data, saved beside its checkpoint. */
export interface ModelConfig {
  readonly vocabulary: number;
  readonly dModel: number;
  /** Hidden units of a feed-forward layer, of all its experts together. Default 4 x `dModel`: see {@link hiddenUnits}. */
  readonly dFf?: number;
  readonly layers: number;
  readonly heads: number;
  /** The longest text, in tokens. */
  readonly maxLength: number;
  /** "learned" is a trained table that starts as sinusoids; "sinusoidal" is fixed. Default "learned". */
  readonly positions?: PositionsConfig;
  /**
   * "causal" predicts the next token from those before it; "masked" predicts hidden tokens from all others, with attention in
   * both directions and a row more in the embedding, for the token that hides. Default "causal".
   */
  readonly objective?: "causal" | "masked";
  /** Default dense. */
  readonly feedForward?: FeedForwardConfig;
  /** Default dense. */
  readonly attention?: AttentionConfig;
  /** Default dense. */
  readonly loss?: LossConfig;
  /** Default "layer": LayerNorm; "rms" is RMSNorm. */
  readonly norm?: NormConfig;
  /** Of a dense feed-forward layer; others have their own. Default "relu". */
  readonly activation?: Activation | "swiglu";
  /** Recurrent units beside every feed-forward layer. Default: there are none. */
  readonly recurrence?: RecurrenceConfig;
  /** Narrow matrices beside those of the blocks, which alone are trained. Default: there are none, and all weights are trained. */
  readonly lora?: LoraConfig;
}

/** A config that says how many hidden units there are. */
export type SizedConfig = ModelConfig & Required<Pick<ModelConfig, "dFf">>;

/** Hidden units of a config's feed-forward layer: where it does not say, four times `dModel`, as in Vaswani et al. 2017. */
export const hiddenUnits = ({ dModel, dFf = 4 * dModel }: Pick<ModelConfig, "dModel" | "dFf">): number => dFf;

const FIELDS = {
  vocabulary: true,
  dModel: true,
  dFf: true,
  layers: true,
  heads: true,
  maxLength: true,
  positions: true,
  objective: true,
  feedForward: true,
  attention: true,
  loss: true,
  norm: true,
  activation: true,
  recurrence: true,
  lora: true,
} as const satisfies Readonly<Record<keyof ModelConfig, true>>;

/**
 * Refuse dimensions that no model can have, and fields that it has not, before anything is built. What is wrong with a part's
 * own options is found where the part is made.
 *
 * @throws FinegrainError one sentence with the names and numbers that do not fit.
 */
export function checkConfig(config: ModelConfig): void {
  const at = place("model config", (name) => name);
  const strange = Object.keys(config).find((name) => !Object.hasOwn(FIELDS, name));
  if (strange !== undefined) at.refuse(`there is no "${strange}": known are ${Object.keys(FIELDS).join(", ")}`);
  for (const name of ["vocabulary", "dModel", "dFf", "layers", "heads", "maxLength"] as const)
    expectPositive(at.owner, name, name === "dFf" ? hiddenUnits(config) : config[name]);
  expectOneOf(`${at.owner}: objective`, config.objective, ["causal", "masked"]);
  expectDivisible(at.owner, "dModel", config.dModel, "heads", config.heads);
  if (config.recurrence) checkRecurrence(config.recurrence);
  if (config.lora) checkLora(config.lora);
}

function checkRecurrence(recurrence: RecurrenceConfig): void {
  for (const name of ["layers", "units"] as const)
    expectPositive("model config", `recurrence.${name}`, recurrence[name]);
}
