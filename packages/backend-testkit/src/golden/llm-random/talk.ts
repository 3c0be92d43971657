import { reshape, type Tensor, transpose } from "@finegrain/graph";
import {
  alike,
  attention,
  block,
  denseAttention,
  groupedFeedForward,
  layerNorm,
  multiplicativeDense,
} from "@finegrain/nn";
import { type Given, under, type WeightSource } from "../given.ts";
import { groupedOptions, groupedWeights } from "./routed.ts";
import { layerNormWeights } from "./weights.ts";

/*
 * The encoder of the talk, as it was in 2022: attention in both directions, in which each of Q, K, V and D is a projection.
 */

/** A projection under each of the four names. */
const projections = <W>(source: WeightSource, project: (own: WeightSource) => W) => ({
  query: project(under(source, "Q.0.layer.layer.")),
  key: project(under(source, "K.0.layer.layer.")),
  value: project(under(source, "V.0.layer.layer.")),
  output: project(under(source, "D.1.layer.")),
});

/** weight [D, heads, dHead], bias [1, heads, dHead]. */
function headed(source: WeightSource): { kernel: Tensor; bias: Tensor } {
  const [kernel, bias] = [source.take("weight"), source.take("bias")];
  const dModel = kernel.shape[0]!;
  return { kernel: reshape(kernel, [dModel, dModel]), bias: reshape(bias, [dModel]) };
}

function factoredAttentionCase(given: Given): Tensor {
  const { arguments: options } = given;
  const [dModel, heads] = [options.number("dmodel"), options.number("heads")];
  const projection = multiplicativeDense({
    dIn: dModel,
    dOut: dModel,
    modules: options.number("modules"),
    bias: false,
  });
  const w = projections(given, (own) => ({
    gating: own.take("0.layer.weight"),
    projection: transpose(own.take("1.layer.weight"), [1, 0]),
  }));
  return attention({ dModel, heads, causal: false }, alike(projection)).apply(w, given.input(), given.context);
}

function encoderBlockCase(given: Given): Tensor {
  const { arguments: options } = given;
  const [dModel, heads] = [options.number("dmodel"), options.number("heads")];
  const layer = block({
    norm: layerNorm({ dModel, epsilon: 1e-5 }),
    attention: denseAttention({ dModel, heads, causal: false }),
    feedForward: groupedFeedForward(groupedOptions(options)),
  });
  const [first, second] = [under(given, "layer.0.layer.layer."), under(given, "layer.1.layer.layer.")];
  const w = {
    attentionNorm: layerNormWeights(under(first, "0.")),
    attention: projections(under(first, "1."), headed),
    feedForwardNorm: layerNormWeights(under(second, "0.")),
    feedForward: groupedWeights(under(second, "1.")),
  };
  return layer.apply(w, given.input(), given.context);
}

/** By the class, in full. */
export const talkAdapters: Readonly<Record<string, (given: Given) => Tensor>> = {
  "bert.Attention(layer_fun=FactoredDense)": factoredAttentionCase,
  "bert.EncoderBlock(Attention, RewrittenSplitFF)": encoderBlockCase,
};
