import {
  add,
  argMax,
  einsum,
  gather,
  less,
  log,
  mul,
  neg,
  oneHot,
  reduceSum,
  relu,
  reshape,
  select,
  softmax,
  stopGradient,
  straightThrough,
  sub,
  type Tensor,
} from "@finegrain/graph";
import { type Context, evaluation } from "../../../context.ts";
import { type Given, number, type Resolved } from "../../../definition/option.ts";
import { glorot, zeros } from "../../../init.ts";
import { type DecodedLayer, type Param, param, type Weights } from "../../../layer.ts";
import { defineFeedForward, type FeedForwardDimensions } from "../definition.ts";
import { expertCount } from "../experts/expert-options.ts";
import { reportRouting } from "../experts/routing.ts";
import { readsRows } from "./one-of-each-block.ts";

export type BlockSparseFeedForwardParams = {
  readonly controller: { readonly kernel: Param };
  readonly inner: { readonly kernel: Param };
  readonly outer: { readonly kernel: Param; readonly bias: Param };
};
type W = Weights<BlockSparseFeedForwardParams>;

const options = {
  experts: expertCount,
  temperature: number({ least: 0, doc: "of the Gumbel noise in training", default: 0.7 }),
};
const switchOptions = { ...options, temperature: number({ least: 0, doc: options.temperature.doc, default: 0.1 }) };
type Config = FeedForwardDimensions & Resolved<typeof options>;

export type BlockSparseFeedForwardConfig = FeedForwardDimensions & Given<typeof options>;

/** Probability that a training pass of the block-sparse layer computes with the hard choice. */
const QUANTIZE = 0.5;

/**
 * Feed-forward layer whose hidden units are cut into experts, of which a controller turns on one for a token.
 *
 *   y = relu(x·W₁ ⊙ mask)·W₂ + b,  mask = onehot(argmax_E(x·C)) for all units of an expert
 *
 * In training the choice is drawn as in the sparse feed-forward layer; half of the passes compute with the hard choice and
 * the soft one's gradient, half with the softmax itself. Trax `BlockSparseFF`. Training is dense products and a mask: it saves
 * nothing. Both matrices are [E, U, D], so that decode reads the chosen expert as one piece.
 *
 * Causality: every token by itself. Decode reads the chosen expert's weights only, and equals `apply` in evaluation, of one
 * stream or a batch of them.
 *
 * Axes: B batch, T time, D model, E experts, U units of an expert.
 */
export const blockSparseFeedForward = defineFeedForward({
  name: "block-sparse",
  summary: "a controller turns on one of `experts`; masked dense products in training",
  causality: "yes",
  decoding: "the same, reads the chosen expert",
  options,
  unitStep: "experts",
  build: (config) => oneExpert(config, blockMask(config)),
  cases: [{ options: { experts: 4 } }],
});

const blockMask =
  ({ experts: count, temperature }: Config): Mask =>
  (logits, context) => {
    const hot = oneHot(chosenOf(logits, temperature, context), { classes: count });
    if (context.mode === "evaluate") return hot;
    const soft = softmax(logits);
    const isHard = less(1 - QUANTIZE, reshape(context.random.uniform([1]), []));
    return straightThrough(select(isHard, hot, soft), soft);
  };

/**
 * As {@link blockSparseFeedForward}, with the chosen expert's units multiplied by its probability, which is how the
 * controller learns: mask = onehot(argmax_E(x·C)) ⊙ softmax(x·C). Trax `SwitchSparseFF`; Fedus et al. 2021, without a capacity.
 */
export const switchFeedForward = defineFeedForward({
  name: "switch",
  summary: "a controller turns on one of `experts`, times its probability; masked dense products in training",
  causality: "yes",
  decoding: "the same, reads the chosen expert",
  options: switchOptions,
  unitStep: "experts",
  build: (config) => oneExpert(config, switchMask(config)),
  cases: [{ options: { experts: 4 } }],
});

const switchMask =
  ({ experts: count, temperature }: Config): Mask =>
  (logits, context) =>
    mul(oneHot(chosenOf(logits, temperature, context), { classes: count }), softmax(logits));

/** What the experts' units are multiplied by, [B, T, E], of the controller's logits. */
type Mask = (logits: Tensor, context: Context) => Tensor;

/** The largest logit, in training after Gumbel noise: [B, T, E] -> [B, T]. */
function chosenOf(logits: Tensor, temperature: number, { mode, random }: Context): Tensor {
  if (mode === "evaluate") return argMax(logits);
  const [batch, time, count] = logits.shape as [number, number, number];
  const noise = reshape(random.uniform([batch * time, count]), logits.shape);
  return argMax(sub(stopGradient(logits), mul(log(neg(log(noise))), temperature)));
}

function oneExpert({ dModel, dFf, experts: count }: Config, mask: Mask): DecodedLayer<BlockSparseFeedForwardParams> {
  const units = dFf / count;
  const logitsOf = (w: W, x: Tensor): Tensor => einsum(x, w.controller.kernel, "B T D, D E -> B T E");
  const through = (w: W, x: Tensor, context: Context): Tensor => {
    const logits = logitsOf(w, x);
    const on = mask(logits, context);
    const product = einsum(x, w.inner.kernel, "B T D, E U D -> B T E U");
    const hidden = relu(mul(product, reshape(on, [...on.shape, 1])));
    reportRouting(context, {
      load: reduceSum(on, { axes: [0, 1] }),
      taken: reduceSum(on, { axes: [2] }),
      logits,
    });
    return add(einsum(hidden, w.outer.kernel, "B T E U, E U D -> B T D"), w.outer.bias);
  };
  return {
    params: {
      controller: { kernel: param([dModel, count], glorot(dModel, count)) },
      inner: { kernel: param([count, units, dModel], glorot(dModel, dFf)) },
      outer: { kernel: param([count, units, dModel], glorot(dFf, dModel)), bias: param([dModel], zeros) },
    },
    apply: through,
    decode(w, x) {
      if (!readsRows(x)) return through(w, x, evaluation);
      const logits = logitsOf(w, x);
      const chosen = argMax(logits);
      const evaluated = mask(logits, evaluation);
      const weight = einsum(oneHot(chosen, { classes: count }), evaluated, "B T E, B T E -> B T");
      const product = einsum(x, gather(w.inner.kernel, chosen), "B T D, B T U D -> B T U");
      const hidden = relu(mul(product, reshape(weight, [...weight.shape, 1])));
      return add(einsum(hidden, gather(w.outer.kernel, chosen), "B T U, B T U D -> B T D"), w.outer.bias);
    },
  };
}
