import { concat, reshape, type Tensor } from "@finegrain/graph";
import { expectDivisible } from "../../config-error.ts";
import { type Context, evaluation } from "../../context.ts";
import { boolean, choice, type Resolved, whole } from "../../definition/option.ts";
import type { CachedLayer, Weights } from "../../layer.ts";
import {
  convolve,
  type LocallyConvolutionalDenseParams,
  locallyConvolutionalDense,
} from "../projections/locally-convolutional-dense.ts";
import { moduleWindows, padPast, pastCaches, withPast } from "../projections/module-windows.ts";
import { type MultiplicativeDenseParams, multiplicativeDense } from "../projections/multiplicative-dense.ts";
import { expectModules } from "./attention-options.ts";
import { defineAttention } from "./definition.ts";
import { attend, attendCached, type HeadsConfig, headCaches } from "./heads.ts";

const options = {
  modules: whole({
    doc: "modules of the multiplicative layer, whose outputs the convolutions run over",
    suggest: ({ heads }) => heads,
    flag: "qkv-sparsity",
  }),
  acrossHeads: boolean({
    doc: "modules may end within a head, as in the paper's 17B model; else heads must be a multiple of them",
    default: false,
  }),
  lengthKernel: whole({
    doc: "tokens that a convolution sees, the own one last",
    default: 3,
    suggest: () => 3,
    flag: "kernel",
  }),
  kernel: whole({
    odd: true,
    doc: "neighbouring modules that the convolutions of query, key and output see",
    default: 3,
    suggest: () => 3,
    flag: "kernel",
  }),
  shareQK: boolean({ doc: "one convolution for query and key", default: false }),
  values: choice(["none", "fixed", "original"], {
    doc: "what the value's convolution reads beside the multiplicative layer's output: nothing, or the layer's input, module by module or side by side",
    default: "none",
  }),
  output: choice(["none", "mult", "conv", "multconv"], {
    doc: "what follows attention: nothing, a multiplicative layer, a convolution, or both in that order",
    default: "none",
  }),
};
type Config = HeadsConfig & Resolved<typeof options>;

export type MultiplicativeConvolutionalAttentionParams = {
  readonly shared: MultiplicativeDenseParams;
  readonly query: LocallyConvolutionalDenseParams;
  /** Absent where query and key are one. */
  readonly key?: LocallyConvolutionalDenseParams;
  readonly value: LocallyConvolutionalDenseParams;
  readonly output?: {
    readonly multiplicative?: MultiplicativeDenseParams;
    readonly convolution?: LocallyConvolutionalDenseParams;
  };
};

/** Inputs of the convolutions with the tokens before them, [batch, lengthKernel - 1 + time, ...]. */
interface Seen {
  readonly shared: Tensor;
  readonly value: Tensor;
}

/**
 * Causal attention whose query, key and value are convolutions over the modules of one multiplicative layer:
 *
 *   p = multiplicative(x);  q, k = conv₃(p);  v = conv₁(p, or p with x)
 *
 * Jaszczur et al. 2021, section 3.2, "Multiplicative-convolutional layer"; Trax `MultiplicativeConvCausalAttention`.
 * There is no dense output projection. Next to keys and values, decode keeps the last inputs of the convolutions.
 */
export const multiplicativeConvolutionalAttention = defineAttention({
  name: "multiplicative-convolutional",
  summary: "query, key and value are convolutions over the modules of one multiplicative layer",
  bothDirections: false,
  options,
  check(config, at) {
    expectModules(config, at);
    if (!config.acrossHeads) expectDivisible(at.owner, "heads", config.heads, at.option("modules"), config.modules);
  },
  build: layer,
  cases: [
    { options: { modules: 2 } },
    { options: { modules: 2, shareQK: true, lengthKernel: 1, output: "conv" } },
    { options: { modules: 2, values: "fixed", output: "conv" } },
    { options: { modules: 4, acrossHeads: true, values: "original", output: "multconv", lengthKernel: 2 } },
    { options: { modules: 2, output: "mult", kernel: 1 } },
  ],
});

function layer(config: Config): CachedLayer<MultiplicativeConvolutionalAttentionParams> {
  const { dModel, modules, lengthKernel, kernel, values, shareQK, output } = config;
  const dValue = values === "none" ? dModel : 2 * dModel;
  const multiplicative = multiplicativeDense({ dIn: dModel, dOut: dModel, modules });
  const wide = { modules, kernel, lengthKernel };
  const narrow = { modules, kernel: 1, lengthKernel };
  const convolution = locallyConvolutionalDense({ dIn: dModel, dOut: dModel, ...wide });
  const valueParams = locallyConvolutionalDense({ dIn: dValue, dOut: dModel, ...narrow }).params;
  const multiplies = output === "mult" || output === "multconv";
  const convolves = output === "conv" || output === "multconv";

  type W = Weights<MultiplicativeConvolutionalAttentionParams>;
  const project = (w: W, { shared, value }: Seen) => {
    const windows = moduleWindows(shared, wide);
    const query = convolve(w.query, windows);
    const key = shareQK ? query : convolve(w.key!, windows);
    return { query, key, value: convolve(w.value, moduleWindows(value, narrow)) };
  };
  const multiply = (w: W, y: Tensor, context: Context) =>
    multiplies ? multiplicative.apply(w.output!.multiplicative!, y, context) : y;

  return {
    params: {
      shared: multiplicative.params,
      query: convolution.params,
      ...(shareQK ? {} : { key: convolution.params }),
      value: valueParams,
      ...(multiplies || convolves
        ? {
            output: {
              ...(multiplies ? { multiplicative: multiplicative.params } : {}),
              ...(convolves ? { convolution: convolution.params } : {}),
            },
          }
        : {}),
    },
    apply(w, x, context) {
      const p = multiplicative.apply(w.shared, x, context);
      const shared = padPast(p, lengthKernel);
      const value = values === "none" ? shared : padPast(joinValues(p, x, values, modules), lengthKernel);
      const y = multiply(w, attend(config, project(w, { shared, value }), context), context);
      return convolves ? convolution.apply(w.output!.convolution!, y, context) : y;
    },
    caches: (batch, capacity) => ({
      ...headCaches(config, batch, capacity),
      ...pastCaches("shared", batch, lengthKernel, dModel),
      ...(values === "none" ? {} : pastCaches("value", batch, lengthKernel, dValue)),
      ...(convolves ? pastCaches("output", batch, lengthKernel, dModel) : {}),
    }),
    decode(w, x, caches, position) {
      const p = multiplicative.apply(w.shared, x, evaluation);
      const shared = withPast("shared", p, caches, lengthKernel);
      const value =
        values === "none" ? shared : withPast("value", joinValues(p, x, values, modules), caches, lengthKernel);
      const kept = { keys: caches.keys!, values: caches.values! }; // `headCaches` are among them
      const step = attendCached(config, project(w, { shared: shared.seen, value: value.seen }), kept, position);
      const next = { ...step.caches, ...shared.cache, ...(values === "none" ? {} : value.cache) };
      const y = multiply(w, step.y, evaluation);
      if (!convolves) return { y, caches: next };
      const out = withPast("output", y, caches, lengthKernel);
      return { y: convolve(w.output!.convolution!, moduleWindows(out.seen, wide)), caches: { ...next, ...out.cache } };
    },
  };
}

/** The multiplicative layer's output with its input: [batch, time, 2 dModel]. */
function joinValues(p: Tensor, x: Tensor, how: "fixed" | "original", modules: number): Tensor {
  if (how === "original") return concat(p, x, { axis: 2 });
  const [batch, time, dModel] = x.shape as [number, number, number];
  const cut = (y: Tensor) => reshape(y, [batch, time, modules, dModel / modules]);
  return reshape(concat(cut(p), cut(x), { axis: 3 }), [batch, time, 2 * dModel]);
}
