import { reshape, slice, type Tensor, transpose } from "@finegrain/graph";
import { denseAttention, feedForward, lowRankDense, multiplicativeDense } from "@finegrain/nn";
import { Unsupported } from "../case.ts";
import { type Given, zeros } from "../given.ts";

/*
 * llm-random's dense layers. PyTorch's linear layers store [out, in], and have a bias only where it
 * says so.
 */

const linear = (given: Given, name: string): Tensor => transpose(given.take(`${name}.weight`), [1, 0]);

function feedForwardCase(given: Given): Tensor {
  const [dModel, dFf] = [given.arguments.number("dmodel"), given.arguments.number("dff")];
  const which = given.arguments.oneOf("bias", ["both", "none", "first", "second"], "both");
  const [pre, post] = ["logging_ff_pre_relu", "logging_ff_post_relu"];
  const bias = (name: string, place: "first" | "second", units: number) =>
    which === "both" || which === place ? given.take(`${name}.bias`) : zeros([units]);
  const w = {
    inner: { kernel: linear(given, pre), bias: bias(pre, "first", dFf) },
    outer: { kernel: given.take(`${post}.weight`), bias: bias(post, "second", dModel) },
  };
  return feedForward({ dModel, dFf }).apply(w, given.input(), given.context);
}

/** The first half of the units of w1_gate is the branch that silu gates. */
function swigluCase(given: Given): Tensor {
  const [dModel, dFf] = [given.arguments.number("dmodel"), given.arguments.number("dff")];
  const both = linear(given, "w1_gate");
  const half = (start: number) => slice(both, { starts: [0, start], ends: [dModel, start + dFf] });
  const w = {
    gate: { kernel: half(0), bias: zeros([dFf]) },
    inner: { kernel: half(dFf), bias: zeros([dFf]) },
    outer: { kernel: given.take("w2.weight"), bias: zeros([dModel]) },
  };
  return feedForward({ dModel, dFf, activation: "swiglu" }).apply(w, given.input(), given.context);
}

/** Rows of input_projection are head-major: query, key and value of head 0, then of head 1, ... */
const attentionCase =
  (rotary: boolean) =>
  (given: Given): Tensor => {
    const [dModel, heads] = [given.arguments.number("dmodel"), given.arguments.number("heads")];
    if (!given.arguments.boolean("causal", true)) throw new Unsupported("attention that is not causal");
    if (rotary) given.arguments.any("length");
    const width = dModel / heads;
    const byHead = reshape(given.take("input_projection.weight"), [heads, 3, width, dModel]);
    const part = (i: number) => {
      const own = slice(byHead, { starts: [0, i, 0, 0], ends: [heads, i + 1, width, dModel] });
      return { kernel: transpose(reshape(own, [dModel, dModel]), [1, 0]) };
    };
    const w = {
      query: part(0),
      key: part(1),
      value: part(2),
      output: { kernel: linear(given, "output_projection") },
    };
    return denseAttention({ dModel, heads, rotary }).apply(w, given.input(), given.context);
  };

function lowRankCase(given: Given): Tensor {
  const { arguments: options } = given;
  const config = { dIn: options.number("dinput"), dOut: options.number("doutput"), rank: options.number("dlowrank") };
  const w = { down: { kernel: linear(given, "0") }, up: { kernel: linear(given, "1") } };
  return lowRankDense(config).apply(w, given.input(), given.context);
}

function factoredDenseCase(given: Given): Tensor {
  const { arguments: options } = given;
  const sizes = { dIn: options.number("dinput"), dOut: options.number("doutput"), modules: options.number("modules") };
  const w = { gating: given.take("gating"), projection: transpose(given.take("projection"), [1, 0]) };
  return multiplicativeDense({ ...sizes, bias: false }).apply(w, given.input(), given.context);
}

/** By the first word of the class's name. */
export const denseAdapters: Readonly<Record<string, (given: Given) => Tensor>> = {
  "llm.FeedForward": feedForwardCase,
  "llm.SwiGLUFeedForward": swigluCase,
  "llm.Attention": attentionCase(false),
  "llm.AttentionRoPE": attentionCase(true),
  "llm.LowRank": lowRankCase,
  FactoredDense: factoredDenseCase,
};
