import { layerNorm as layerNormOp } from "@finegrain/graph";
import { ones, zeros } from "../../init.ts";
import { type Layer, type Param, param } from "../../layer.ts";
import { defineNorm, epsilon } from "./definition.ts";

/** (x - mean) / sqrt(variance + epsilon) · scale + bias over the features. Ba et al. 2016. */
export const layerNorm = defineNorm({
  name: "layer",
  summary: "LayerNorm",
  options: { epsilon },
  build: ({ dModel, epsilon }): Layer<{ scale: Param; bias: Param }> => ({
    params: { scale: param([dModel], ones), bias: param([dModel], zeros) },
    apply: (w, x) => layerNormOp(x, w.scale, w.bias, { epsilon }),
  }),
  cases: [{ options: {} }],
});
