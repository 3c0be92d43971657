import { reshape, slice, type Tensor, transpose } from "@finegrain/graph";
import type { AttentionParams, DenseParams, ExpertsParams, FeedForwardParams, Weights } from "@finegrain/nn";
import { type WeightSource, zeros } from "../given.ts";

/*
 * llm-random's weights as ours. PyTorch's linear layers store [out, in], and have a bias only where there is one. The layout
 * is part of the graph, so that gradients come back in the original's own.
 */

/** weight [out, in] as [in, out]. */
export const linear = (source: WeightSource, name: string): Tensor => transpose(source.take(`${name}.weight`), [1, 0]);

/** A bias that is not there is 0. */
export function feedForwardWeights(source: WeightSource): Weights<FeedForwardParams> {
  const [first, second] = ["logging_ff_pre_relu", "logging_ff_post_relu"];
  const bias = (name: string, units: number) =>
    source.has(`${name}.bias`) ? source.take(`${name}.bias`) : zeros([units]);
  const outer = source.take(`${second}.weight`);
  const [dModel, dFf] = outer.shape as [number, number];
  return {
    inner: { kernel: linear(source, first), bias: bias(first, dFf) },
    outer: { kernel: outer, bias: bias(second, dModel) },
  };
}

/** The first half of the units of w1_gate is the branch that silu gates. */
export function swigluWeights(source: WeightSource): Weights<FeedForwardParams> {
  const both = linear(source, "w1_gate");
  const outer = source.take("w2.weight");
  const [dModel, dFf] = outer.shape as [number, number];
  const half = (start: number) => slice(both, { starts: [0, start], ends: [dModel, start + dFf] });
  return {
    gate: { kernel: half(0), bias: zeros([dFf]) },
    inner: { kernel: half(dFf), bias: zeros([dFf]) },
    outer: { kernel: outer, bias: zeros([dModel]) },
  };
}

/** Rows of input_projection are head-major: query, key and value of head 0, then of head 1, ... */
export function attentionWeights(source: WeightSource, heads: number): Weights<AttentionParams<DenseParams>> {
  const stored = source.take("input_projection.weight");
  const dModel = stored.shape[1]!;
  const width = dModel / heads;
  const byHead = reshape(stored, [heads, 3, width, dModel]);
  const part = (i: number) => {
    const own = slice(byHead, { starts: [0, i, 0, 0], ends: [heads, i + 1, width, dModel] });
    return { kernel: transpose(reshape(own, [dModel, dModel]), [1, 0]) };
  };
  return { query: part(0), key: part(1), value: part(2), output: { kernel: linear(source, "output_projection") } };
}

export const layerNormWeights = (source: WeightSource): { scale: Tensor; bias: Tensor } => ({
  scale: source.take("weight"),
  bias: source.take("bias"),
});

export const rmsNormWeights = (source: WeightSource): { scale: Tensor; bias: Tensor } => ({
  scale: source.take("g"),
  bias: source.take("b"),
});

/** lin1 and gate [E, D, F], lin2 [E, F, D]. */
export function expertWeights(source: WeightSource, gated: boolean): Weights<ExpertsParams> {
  const own = (name: string) => source.take(`expert_inner_function.${name}_weight`);
  return {
    inner: { kernel: own("lin1") },
    ...(gated ? { gate: { kernel: own("gate") } } : {}),
    outer: { kernel: own("lin2") },
  };
}
