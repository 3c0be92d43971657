import { add, rmsNorm as rmsNormOp } from "@finegrain/graph";
import { boolean } from "../../definition/option.ts";
import { ones, zeros } from "../../init.ts";
import { type Layer, type Param, param } from "../../layer.ts";
import { defineNorm, epsilon } from "./definition.ts";

/** x / sqrt(mean square + epsilon) · scale, + bias. Zhang and Sennrich 2019; Trax's `LayerNorm(center=False)`. */
export const rmsNorm = defineNorm({
  name: "rms",
  summary: "RMSNorm",
  options: { epsilon, bias: boolean({ doc: "add a vector to the outcome", default: false }) },
  build: ({ dModel, epsilon, bias }): Layer<{ scale: Param; bias?: Param }> => ({
    params: { scale: param([dModel], ones), ...(bias ? { bias: param([dModel], zeros) } : {}) },
    apply(w, x) {
      const y = rmsNormOp(x, w.scale, { epsilon });
      return w.bias ? add(y, w.bias) : y;
    },
  }),
  cases: [{ options: {} }, { options: { bias: true, epsilon: 1e-3 } }],
});
