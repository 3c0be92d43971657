import { type ModelConfig, parameterCount, scalingLM } from "@finegrain/nn";
import { headWidthOf } from "@finegrain/runs";
import { meanTokens } from "../cases/decode-case.ts";
import type { Measure } from "../suites/suite.ts";

/** Whether a model has nothing sparse: what a peer without our layers can have too. */
export const isDense = ({ feedForward, attention, loss, objective }: ModelConfig): boolean =>
  [feedForward, attention, loss].every((part) => part === undefined || part.type === "dense") && objective !== "masked";

/** Families of dense models, as transformers and llama.cpp call them. */
export type PeerFamily = "gpt2" | "llama";

/** A part of a config, which may be its type alone, with what is said of it. */
type Options = Readonly<Record<string, unknown>>;
const optionsOf = (part: unknown, otherwise: string): Options =>
  typeof part === "object" && part !== null ? (part as Options) : { type: part ?? otherwise };

/**
 * The family whose blocks are those of a dense model, but for an activation and the logits' bias: GPT-2's are of LayerNorm, learned positions and two
 * matrices, Llama's of RMSNorm, turned queries and keys, gated units and no biases. Undefined where it is neither.
 */
export function familyOf(config: ModelConfig): PeerFamily | undefined {
  const { objective, recurrence, encoder, activation } = config;
  const [feedForward, attention, loss] = [config.feedForward, config.attention, config.loss].map((part) =>
    optionsOf(part, "dense"),
  ) as [Options, Options, Options];
  const [norm, positions] = [optionsOf(config.norm, "layer"), optionsOf(config.positions, "learned")];
  if (objective === "masked" || recurrence || encoder) return undefined;
  if (feedForward.type !== "dense" || attention.type !== "dense") return undefined;
  const isGated = (feedForward.activation ?? activation) === "swiglu";
  const own = [norm.type, positions.type, loss.type, isGated].join(" ");
  const { bias, kvHeads, headWidth, normalize } = attention;
  const hasBiases = (bias === undefined || bias === "all") && feedForward.bias !== false;
  if (
    own === "layer learned dense false" &&
    hasBiases &&
    !normalize &&
    kvHeads === undefined &&
    headWidth === undefined
  )
    return "gpt2";
  const hasNoBias = feedForward.bias === false && bias === "none" && !normalize;
  const hasPlainLoss = loss.type === "tied" || (loss.type === "dense" && loss.bias === false);
  return norm.type === "rms" && positions.type === "rotary" && isGated && hasNoBias && hasPlainLoss
    ? "llama"
    : undefined;
}

/** Whether logits are made by the embedding's table. */
export const isTied = ({ loss }: ModelConfig): boolean => loss?.type === "tied";

/** Features of all heads of queries, and of all those of keys. */
export const queriesWidth = (config: ModelConfig): number => config.heads * headWidthOf(config);
export const keysWidth = (config: ModelConfig): number =>
  headWidthOf(config) * Number(optionsOf(config.attention, "dense").kvHeads ?? config.heads);

/** Parameters of our own model of a config. */
export const parametersOf = (config: ModelConfig): number => parameterCount(scalingLM(config).params);

/** Bytes of a number in float32. */
const FLOAT32 = 4;

/**
 * Bytes that one token's decode step of a dense model reads: every weight but the rows of the embeddings that were not asked for, and
 * in float32 keys and values of all tokens so far, as many as they are on average over a round.
 *
 * @param ofWeight bytes of a weight. Default: float32's.
 */
export function decodeBytes(config: ModelConfig, parameters: number, measure: Measure, ofWeight = FLOAT32): number {
  const caches = FLOAT32 * 2 * config.layers * keysWidth(config) * meanTokens(measure);
  return ofWeight * (parameters - unread(config)) + caches;
}

/** Numbers of tables of which a step reads a row or two. A table that makes the logits is read whole. */
function unread(config: ModelConfig): number {
  const { vocabulary, maxLength, dModel } = config;
  const hasLearned = optionsOf(config.positions, "learned").type === "learned";
  const [tables, rows] = [(isTied(config) ? 0 : vocabulary) + (hasLearned ? maxLength : 0), hasLearned ? 2 : 1];
  return (tables - rows) * dModel;
}
