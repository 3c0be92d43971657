import type { Tensor } from "@finegrain/graph";
import type { AttentionConfig, Params, Weights } from "@finegrain/nn";
import type { Arguments } from "../arguments.ts";
import { Unsupported } from "../case.ts";
import type { WeightSource } from "../given.ts";
import {
  connectedWeights,
  convolutionWeights,
  denseWeights,
  lowRankWeights,
  modularWeights,
  multiplicativeWeights,
} from "./weights.ts";

/** One of Trax's attention layers as ours: its config, and its weights laid out for it. */
export interface TraxAttention {
  readonly config: AttentionConfig;
  weights(source: WeightSource): Weights<Params>;
}

type Adapter = (options: Arguments, heads: number) => TraxAttention;

/** The same kind of projection in all four places, in the order in which Trax holds them. */
const projections =
  (of: (source: WeightSource, prefix: string) => Weights<Params>) =>
  (source: WeightSource): Weights<Params> => ({
    query: of(source, "query"),
    key: of(source, "key"),
    value: of(source, "value"),
    output: of(source, "output"),
  });

/** Trax's `sparsity`: the number of modules, as many as heads where it is not given. */
const modulesOf = (options: Arguments, heads: number): number => options.number("sparsity", heads);

const adapters: Readonly<Record<string, Adapter>> = {
  CausalAttention: () => ({ config: { type: "dense" }, weights: projections(denseWeights) }),
  LowRankCausalAttention: (options) => ({
    config: { type: "low-rank", rank: options.number("lowrank", 64) },
    weights: projections(lowRankWeights),
  }),
  MultiplicativeCausalAttention: (options, heads) => ({
    config: { type: "multiplicative", modules: modulesOf(options, heads) },
    weights: projections((source, prefix) => multiplicativeWeights(source, prefix)),
  }),
  MultiplicativeModularCausalAttention: (options, heads) => ({
    config: { type: "multiplicative-modular", modules: modulesOf(options, heads) },
    weights: projections(modularWeights),
  }),
  ModularCausalAttention: (options, heads) => ({
    config: { type: "modular", modules: modulesOf(options, heads), kernel: options.number("kernel_size", 1) },
    weights: projections((source, prefix) => connectedWeights(source, prefix)),
  }),
  ConvCausalAttention: (options, heads) => ({
    config: { type: "convolutional", modules: modulesOf(options, heads), kernel: options.number("kernel_size", 1) },
    weights: projections((source, prefix) => convolutionWeights(source, prefix)),
  }),
  MultiplicativeConvCausalAttention(options, heads) {
    const shareQK = options.boolean("share_qk", false);
    const output = options.oneOf("output_layer_type", ["none", "mult", "conv", "multconv"], "none");
    const values = options.oneOf("v_concat_type", ["none", "fixed", "original"], "none");
    const lengthKernel = options.number("length_kernel_size", 3);
    const modules = modulesOf(options, heads);
    return {
      config: {
        type: "multiplicative-convolutional",
        modules,
        acrossHeads: true,
        lengthKernel,
        shareQK,
        output,
        values,
      },
      weights: (source) => multiplicativeConvolutionalWeights(source, shareQK, output),
    };
  },
};

function multiplicativeConvolutionalWeights(
  source: WeightSource,
  shareQK: boolean,
  output: "none" | "mult" | "conv" | "multconv",
): Weights<Params> {
  const shared = multiplicativeWeights(source, "shared");
  const query = convolutionWeights(source, shareQK ? "query-key" : "query");
  const key: Record<string, Weights<Params>> = shareQK ? {} : { key: convolutionWeights(source, "key") };
  const value = convolutionWeights(source, "value");
  const after: Record<string, Record<string, Tensor>> = {};
  if (output === "mult" || output === "multconv") after.multiplicative = { ...multiplicativeWeights(source, "output") };
  if (output === "conv" || output === "multconv")
    after.convolution = { ...convolutionWeights(source, "output", "output.conv.bias") };
  return { shared, query, ...key, value, ...(output === "none" ? {} : { output: after }) };
}

/** Those of Trax's attention layers that are ours. */
export const attentionNames: readonly string[] = Object.keys(adapters);

/** @throws Unsupported where Trax's layer `source` is none of ours. */
export function traxAttention(source: string, options: Arguments, heads: number): TraxAttention {
  const adapter = Object.hasOwn(adapters, source) ? adapters[source] : undefined;
  if (!adapter) throw new Unsupported(`the attention ${source}`);
  return adapter(options, heads);
}
