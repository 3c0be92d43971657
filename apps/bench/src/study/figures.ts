import { decodeGraph } from "@finegrain/generate";
import { bytesRead, cost, graph, input } from "@finegrain/graph";
import {
  evaluation,
  feedForwardOf,
  type LanguageModel,
  type ModelConfig,
  parameterCount,
  scalingLM,
  traceWeights,
} from "@finegrain/nn";
import { adamW, stepGraph } from "@finegrain/train";
import { stepBytes } from "../cases/decode-case.ts";
import type { StudyResult } from "./result.ts";
import type { StudyTraining } from "./study.ts";

/** What is known of a model without a run: its size, and what a token of it reads. */
export function modelFigures(
  config: ModelConfig,
): Pick<StudyResult, "parameters" | "bytesPerToken" | "feedForwardBytesPerToken"> {
  const model = scalingLM(config);
  return {
    parameters: parameterCount(model.params),
    bytesPerToken: stepBytes(decodeGraph(model, { tokens: 1, capacity: 1 }).graph, 0),
    feedForwardBytesPerToken: config.layers * feedForwardBytes(config),
  };
}

/** Bytes of weights that one feed-forward layer reads for a token. */
function feedForwardBytes(config: ModelConfig): number {
  const layer = feedForwardOf(config);
  const { weights, stored } = traceWeights(layer.params, "float32");
  const x = input([1, 1, config.dModel], "float32", "x");
  const y = "decode" in layer ? layer.decode(weights, x) : layer.apply(weights, x, evaluation);
  return bytesRead(graph({ name: "feed-forward", inputs: { stored, x }, outputs: [y] })) - 4 * config.dModel; // x itself
}

/** Floating-point operations of one optimizer step, backward pass included. */
export const stepFlops = (model: LanguageModel, { batch, length }: StudyTraining): number =>
  cost(stepGraph({ model, optimizer: adamW(), batch, length })).flops;
