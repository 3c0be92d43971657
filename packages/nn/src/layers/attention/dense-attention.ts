import { expectDivisible } from "../../config-error.ts";
import { boolean, choice, number, type Resolved, whole } from "../../definition/option.ts";
import { type DenseParams, dense } from "../projections/dense.ts";
import { type AttentionParams, attention } from "./attention.ts";
import { type AttentionLayer, defineAttention } from "./definition.ts";
import { type HeadsConfig, headWidth } from "./heads.ts";
import { type FeatureNormParams, normalizedFeatures } from "./normalized-features.ts";

const options = {
  kvHeads: whole({
    doc: "heads of keys and values, which neighbouring heads share: Ainslie et al. 2023, GQA",
    otherwise: "as many as heads",
  }),
  headWidth: whole({ doc: "features of a head", otherwise: "dModel / heads" }),
  bias: choice(["all", "qkv", "none"], { doc: "which projections add a vector", default: "all" }),
  normalize: boolean({ doc: "RMSNorm of every head's query and key, before they are turned", default: false }),
  normalizeOver: choice(["head", "all"], {
    doc: "what that norm is over: the features of each head, or those of all heads at once",
    default: "head",
  }),
  epsilon: number({ above: 0, doc: "of that norm: added inside the root", default: 1e-6 }),
};
type Config = HeadsConfig & Resolved<typeof options>;

/**
 * Dense projections. Their norms of queries and keys are those of Henry et al. 2020: of each head, with one scale for all of them as in
 * Qwen3, or of all heads at once as in OLMoE (Muennighoff et al. 2024).
 */
export const denseAttention = defineAttention({
  name: "dense",
  summary: "a dense matrix for each of query, key, value and output",
  bothDirections: true,
  options,
  check({ heads, kvHeads = heads }, at) {
    expectDivisible(at.owner, "heads", heads, at.option("kvHeads"), kvHeads);
  },
  build: layer,
  cases: [
    { options: {} },
    { options: { kvHeads: 1, headWidth: 6, bias: "qkv" } },
    { options: { bias: "none", normalize: true, epsilon: 1e-5 } },
    { options: { kvHeads: 1, bias: "none", normalize: true, normalizeOver: "all" } },
  ],
});

function layer(config: Config): AttentionLayer<AttentionParams<DenseParams & FeatureNormParams, DenseParams>> {
  const { dModel, heads, kvHeads = heads, bias, normalize, normalizeOver, epsilon, filters = {} } = config;
  const width = headWidth(config);
  const project = (ofHeads: number) =>
    dense({ dIn: dModel, dOut: ofHeads * width, bias: bias !== "none", filter: filters.first });
  const normalized = (ofHeads: number) =>
    normalize
      ? normalizedFeatures(project(ofHeads), { width: normalizeOver === "all" ? ofHeads * width : width, epsilon })
      : project(ofHeads);
  return attention(config, {
    query: normalized(heads),
    key: normalized(kvHeads),
    value: project(kvHeads),
    output: dense({ dIn: heads * width, dOut: dModel, bias: bias === "all", filter: filters.last }),
  });
}
