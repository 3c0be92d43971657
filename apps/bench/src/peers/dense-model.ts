import { type ModelConfig, parameterCount, scalingLM } from "@finegrain/nn";
import { meanTokens } from "../cases/decode-case.ts";
import type { Measure } from "../suites/suite.ts";

/** Whether a model has nothing sparse: what a peer without our layers can have too. */
export const isDense = ({ feedForward, attention, loss, objective }: ModelConfig): boolean =>
  [feedForward, attention, loss].every((part) => part === undefined || part.type === "dense") && objective !== "masked";

/** Parameters of our own model of a config. */
export const parametersOf = (config: ModelConfig): number => parameterCount(scalingLM(config).params);

/**
 * Bytes that one token's decode step of a dense model reads in float32: every weight but the rows of the embeddings that
 * were not asked for, and keys and values of all tokens so far, as many as they are on average over a round.
 */
export function decodeBytes(config: ModelConfig, parameters: number, measure: Measure): number {
  const { vocabulary, maxLength, dModel, layers, positions = "learned" } = config;
  const tables = vocabulary + (positions === "learned" ? maxLength : 0);
  const rows = positions === "learned" ? 2 : 1;
  return 4 * (parameters - (tables - rows) * dModel + 2 * layers * dModel * meanTokens(measure));
}
