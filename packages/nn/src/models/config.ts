import { expectDivisible, expectOneOf, expectPositive } from "../config-error.ts";
import { type Place, place } from "../definition/layer-definition.ts";
import type { Activation } from "../layers/feed-forward/activation.ts";
import type { RecurrenceConfig } from "../layers/recurrence/recurrent-branch.ts";
import { type ActiveInputs, checkActiveInputs } from "./active-inputs-config.ts";
import type { AttentionConfig, FeedForwardConfig, LossConfig, NormConfig, PositionsConfig } from "./catalogs.ts";
import { checkLora, type LoraConfig } from "./lora-config.ts";
import type { StudentConfig } from "./student-config.ts";

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
  /**
   * Part of the vectors that is dropped in training, behind the embedding and behind every branch of a block, as in Vaswani et al.
   * 2017, 5.4. Default 0.
   */
  readonly dropout?: number;
  /** Part of the weights of attention that is dropped in training. Default 0. */
  readonly attentionDropout?: number;
  /**
   * Tokens of every text that a feed-forward layer takes at a time, so that its hidden units need less memory; in training they are
   * computed twice. Trax `ff_chunk_size`. Default: all.
   */
  readonly feedForwardChunk?: number;
  /** What reads a source, which the text follows. Default: there is none, and the model is a language model alone. */
  readonly encoder?: EncoderConfig;
  /** Narrow matrices beside those of the blocks, which alone are trained. Default: there are none, and all weights are trained. */
  readonly lora?: LoraConfig;
  /** Feed-forward layers that learn to do what the model's own do, and alone are trained. Default: there are none. */
  readonly student?: StudentConfig;
  /** Of dense layers, for each block: how large the inputs of its matrices are at least that count. Default: all inputs do. */
  readonly activeInputs?: readonly ActiveInputs[];
}

/** The encoder of a model whose texts follow a source, and how the two are joined. Layers are those of the text's blocks. */
export interface EncoderConfig {
  /**
   * "transformer" is that of Vaswani et al. 2017: the text's blocks attend to the encoder's vectors. "terraformer" is that of Jaszczur
   * et al. 2021: all blocks are reversible, and the encoder's vectors stand before those of the text.
   */
  readonly type: "transformer" | "terraformer";
  readonly layers: number;
  /** The longest source, in tokens. */
  readonly maxLength: number;
  /** Default dense, in both directions. */
  readonly attention?: AttentionConfig;
  /** Of a Terraformer: attention layers of a block of the text. Default 2. */
  readonly textAttentions?: number;
  /** Of a Terraformer: whether the encoder hands on both its streams, or their mean. Default false. */
  readonly bothStreams?: boolean;
  /** Of a Terraformer: after every so many blocks both streams become one again. Default: never. */
  readonly forgetEvery?: number;
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
  dropout: true,
  attentionDropout: true,
  feedForwardChunk: true,
  encoder: true,
  lora: true,
  student: true,
  activeInputs: true,
} as const satisfies Readonly<Record<keyof ModelConfig, true>>;

const ENCODER_FIELDS = {
  type: true,
  layers: true,
  maxLength: true,
  attention: true,
  textAttentions: true,
  bothStreams: true,
  forgetEvery: true,
} as const satisfies Readonly<Record<keyof EncoderConfig, true>>;

/**
 * Refuse dimensions that no model can have, and fields that it has not, before anything is built. What is wrong with a part's
 * own options is found where the part is made.
 *
 * @throws FinegrainError one sentence with the names and numbers that do not fit.
 */
export function checkConfig(config: ModelConfig): void {
  const at = place("model config", (name) => name);
  expectKnown(at, "", config, FIELDS);
  for (const name of ["vocabulary", "dModel", "dFf", "layers", "heads", "maxLength"] as const)
    expectPositive(at.owner, name, name === "dFf" ? hiddenUnits(config) : config[name]);
  expectOneOf(`${at.owner}: objective`, config.objective, ["causal", "masked"]);
  expectDivisible(at.owner, "dModel", config.dModel, "heads", config.heads);
  for (const name of ["dropout", "attentionDropout"] as const) {
    const rate = config[name] ?? 0;
    if (!(rate >= 0 && rate < 1)) at.refuse(`${name} must be from 0 to below 1, not ${rate}`);
  }
  if (config.feedForwardChunk !== undefined) expectPositive(at.owner, "feedForwardChunk", config.feedForwardChunk);
  if (config.recurrence) checkRecurrence(config.recurrence);
  if (config.encoder) checkEncoder(config, config.encoder, at);
  if (config.lora) checkLora(config.lora);
  if (config.student) {
    expectKnown(at, "student.", config.student, { feedForward: true, dFf: true });
    if (!config.student.feedForward) at.refuse("student.feedForward is missing");
  }
  checkActiveInputs(config, at);
  if (config.lora && config.student)
    at.refuse("either lora or a student is trained beside a model's weights, not both");
}

function expectKnown(at: Place, prefix: string, given: object, fields: object): void {
  const strange = Object.keys(given).find((name) => !Object.hasOwn(fields, name));
  if (strange !== undefined)
    at.refuse(`there is no "${prefix}${strange}": known are ${Object.keys(fields).join(", ")}`);
}

function checkEncoder({ dModel, objective, lora, student }: ModelConfig, encoder: EncoderConfig, at: Place): void {
  expectKnown(at, "encoder.", encoder, ENCODER_FIELDS);
  if (encoder.type !== "terraformer" && encoder.type !== "transformer")
    at.refuse(`encoder.type must be one of transformer, terraformer, not "${encoder.type}"`);
  for (const name of ["layers", "maxLength"] as const) expectPositive(at.owner, `encoder.${name}`, encoder[name]);
  for (const name of ["textAttentions", "forgetEvery"] as const)
    if (encoder[name] !== undefined) expectPositive(at.owner, `encoder.${name}`, encoder[name]);
  if (objective === "masked") at.refuse("a masked language model has no encoder: it is one");
  if (lora || student) at.refuse(`${lora ? "lora" : "a student"} is for language models without an encoder`);
  if (encoder.type === "terraformer") {
    if (dModel % 2 !== 0) at.refuse(`the two streams of a reversible model have an even dModel, not ${dModel}`);
    return;
  }
  const foreign = (["textAttentions", "bothStreams", "forgetEvery"] as const).find(
    (name) => encoder[name] !== undefined,
  );
  if (foreign !== undefined) at.refuse(`encoder.${foreign} is of a terraformer, not of a transformer`);
}

function checkRecurrence(recurrence: RecurrenceConfig): void {
  for (const name of ["layers", "units"] as const)
    expectPositive("model config", `recurrence.${name}`, recurrence[name]);
}
