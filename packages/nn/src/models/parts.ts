import type { CachedLayer, Layer, Params } from "../layer.ts";
import {
  convolutionalAttention,
  denseAttention,
  lowRankAttention,
  modularAttention,
  multiplicativeAttention,
  multiplicativeModularAttention,
} from "../layers/attention/attention.ts";
import { multiplicativeConvolutionalAttention } from "../layers/attention/multiplicative-convolutional-attention.ts";
import { layerNorm, rmsNorm } from "../layers/norm/norm.ts";
import { learnedPositions, type PositionLayer, sinusoidalPositions } from "../layers/positions/positions.ts";
import type { ModelConfig } from "./config.ts";

/*
 * The layers that a config chooses. Which parameters they have is only known when it is read, so their types become those
 * of any tree.
 */

export function attentionOf(
  config: Pick<ModelConfig, "dModel" | "heads" | "attention" | "positions" | "objective">,
): CachedLayer {
  const { dModel, heads, attention = { type: "dense" }, positions, objective } = config;
  const shape = { dModel, heads, rotary: positions === "rotary", causal: objective !== "masked" };
  switch (attention.type) {
    case "dense":
      return denseAttention(shape);
    case "multiplicative-convolutional":
      return multiplicativeConvolutionalAttention({ ...attention, ...shape });
    case "multiplicative":
      return multiplicativeAttention({ ...attention, ...shape });
    case "multiplicative-modular":
      return multiplicativeModularAttention({ ...attention, ...shape });
    case "modular":
      return modularAttention({ ...attention, ...shape });
    case "convolutional":
      return convolutionalAttention({ ...attention, ...shape });
    case "low-rank":
      return lowRankAttention({ ...attention, ...shape });
  }
}

export const normOf = ({ dModel, norm = "layer" }: ModelConfig): Layer =>
  norm === "rms" ? rmsNorm({ dModel }) : layerNorm({ dModel });

/** undefined where nothing is added to the embeddings: places are told by rotation, or not at all. */
export function positionsOf({
  dModel,
  maxLength,
  positions = "learned",
}: ModelConfig): PositionLayer<Params> | undefined {
  if (positions === "learned") return learnedPositions({ dModel, maxLength });
  return positions === "sinusoidal" ? sinusoidalPositions({ dModel, maxLength }) : undefined;
}
