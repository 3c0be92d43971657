import { reshape, rmsNorm } from "@finegrain/graph";
import { ones } from "../../init.ts";
import { type Layer, type Param, type Params, param, type Weights } from "../../layer.ts";

export type FeatureNormParams = { readonly scale?: Param };

/**
 * A projection whose outputs are normalised in runs of `width` features, as wide as a head or as all of them, with one scale for all
 * runs: x / sqrt(mean square + epsilon) · scale over the features of each. Henry et al. 2020, "Query-Key Normalization for
 * Transformers", with RMSNorm in place of theirs.
 */
export function normalizedFeatures<P extends Params>(
  projection: Layer<P>,
  { width, epsilon }: { readonly width: number; readonly epsilon: number },
): Layer<P & FeatureNormParams> {
  return {
    params: { ...projection.params, scale: param([width], ones) },
    apply(w, x, context) {
      const y = projection.apply(w as Weights<P>, x, context); // of its weights, and one more
      const [batch, time, features] = y.shape as [number, number, number];
      const runs = reshape(y, [batch, time, features / width, width]);
      return reshape(rmsNorm(runs, w.scale!, { epsilon }), y.shape);
    },
  };
}
