import { add, layerNorm as layerNormOp, rmsNorm as rmsNormOp } from "@finegrain/graph";
import { ones, zeros } from "../../init.ts";
import { type Layer, type Param, param } from "../../layer.ts";

export interface NormConfig {
  readonly dModel: number;
  /** Inside the root. Default 1e-6, as in Trax. */
  readonly epsilon?: number;
}

/** (x - mean) / sqrt(variance + epsilon) · scale + bias over the features. Ba et al. 2016. */
export const layerNorm = ({ dModel, epsilon = 1e-6 }: NormConfig): Layer<{ scale: Param; bias: Param }> => ({
  params: { scale: param([dModel], ones), bias: param([dModel], zeros) },
  apply: (w, x) => layerNormOp(x, w.scale, w.bias, { epsilon }),
});

/** x / sqrt(mean square + epsilon) · scale, + bias. Zhang and Sennrich 2019; Trax's `LayerNorm(center=False)`. */
export const rmsNorm = ({
  dModel,
  epsilon = 1e-6,
  bias = false,
}: NormConfig & {
  /** Default false. */
  readonly bias?: boolean;
}): Layer<{ scale: Param; bias?: Param }> => ({
  params: { scale: param([dModel], ones), ...(bias ? { bias: param([dModel], zeros) } : {}) },
  apply(w, x) {
    const y = rmsNormOp(x, w.scale, { epsilon });
    return w.bias ? add(y, w.bias) : y;
  },
});
