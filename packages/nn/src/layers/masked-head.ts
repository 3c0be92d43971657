import { gelu, type Tensor } from "@finegrain/graph";
import type { Layer, Params } from "../layer.ts";
import { type DenseParams, dense } from "./projections/dense.ts";

export type MaskedHeadParams = { readonly transform: DenseParams; readonly norm: Params };

/**
 * What a masked language model has between its blocks and its loss layer: norm(gelu(x W + b)). Devlin et al. 2018, "BERT".
 */
export function maskedHead({
  dModel,
  norm,
}: {
  readonly dModel: number;
  readonly norm: Layer;
}): Layer<MaskedHeadParams> {
  const transform = dense({ dIn: dModel, dOut: dModel });
  return {
    params: { transform: transform.params, norm: norm.params },
    apply: (w, x, context): Tensor => norm.apply(w.norm, gelu(transform.apply(w.transform, x, context)), context),
  };
}
