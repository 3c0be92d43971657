import { type Tensor, transpose } from "@finegrain/graph";
import { denseAttention, feedForward, lowRankDense, multiplicativeDense, rmsNorm, rotation } from "@finegrain/nn";
import type { Given } from "../given.ts";
import { attentionWeights, feedForwardWeights, linear, rmsNormWeights, swigluWeights } from "./weights.ts";

/*
 * llm-random's dense layers.
 */

function feedForwardCase(given: Given): Tensor {
  const config = { dModel: given.arguments.number("dmodel"), dFf: given.arguments.number("dff") };
  given.arguments.oneOf("bias", ["both", "none", "first", "second"], "both"); // the file has the biases that there are
  return feedForward(config).apply(feedForwardWeights(given), given.input(), given.context);
}

function swigluCase(given: Given): Tensor {
  const config = { dModel: given.arguments.number("dmodel"), dFf: given.arguments.number("dff") };
  return feedForward({ ...config, activation: "swiglu" }).apply(swigluWeights(given), given.input(), given.context);
}

const attentionCase =
  (rotary: boolean) =>
  (given: Given): Tensor => {
    const [dModel, heads] = [given.arguments.number("dmodel"), given.arguments.number("heads")];
    const causal = given.arguments.boolean("causal", true);
    if (rotary) given.arguments.any("length");
    const w = attentionWeights(given, heads);
    return denseAttention({ dModel, heads, ...(rotary && { rotary: rotation() }), causal }).apply(
      w,
      given.input(),
      given.context,
    );
  };

function rmsNormCase(given: Given): Tensor {
  const config = { dModel: given.arguments.number("dmodel"), epsilon: given.arguments.number("eps", 1e-5) };
  return rmsNorm({ ...config, bias: true }).apply(rmsNormWeights(given), given.input(), given.context);
}

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
  "llm.RMSNorm": rmsNormCase,
  FactoredDense: factoredDenseCase,
};
