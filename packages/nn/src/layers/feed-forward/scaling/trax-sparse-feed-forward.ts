import {
  argMax,
  less,
  log,
  mul,
  neg,
  oneHot,
  relu,
  reshape,
  select,
  softmax,
  stopGradient,
  straightThrough,
  sub,
  type Tensor,
} from "@finegrain/graph";
import type { Context } from "../../../context.ts";
import { boolean, type Given, number, type Resolved, whole } from "../../../definition/option.ts";
import type { DecodedLayer, Weights } from "../../../layer.ts";
import { defineFeedForward, type FeedForwardDimensions } from "../definition.ts";
import { chosenProbability, type OneOfEachBlockParams, oneOfEachBlock, readsRows } from "./one-of-each-block.ts";

const options = {
  blockSize: whole({ doc: "N: units of a block, of which exactly one is on", suggest: () => 16 }),
  rank: whole({ doc: "rank of the controller", otherwise: "dFf / blockSize" }),
  temperature: number({ least: 0, doc: "of the Gumbel noise in training", default: 0.1 }),
  quantizeProbability: number({
    least: 0,
    most: 1,
    doc: "probability that a training pass computes with the hard choice",
    default: 0.3,
  }),
  multiplyByControllerOutput: boolean({
    doc: "multiply a hard choice's units by the controller's probability of them",
    default: false,
  }),
  kernelScaling: boolean({
    doc: "start the outer matrix √N times larger, since one unit in N adds to a sum",
    default: false,
  }),
};

export type TraxSparseFeedForwardConfig = FeedForwardDimensions & Given<typeof options>;

/**
 * The sparse feed-forward layer as the paper's own code has it: a low-rank controller turns on one unit in every block, and
 * training draws whether a pass uses the hard choice or the controller's probabilities.
 *
 *   y = (relu(x·W₁ᵀ) ⊙ onehot(argmax_N(x·C₁·C₂ + c)))·W₂ + b
 *
 * In training the choice is drawn with the Gumbel-softmax trick: m = softmax of the controller over a block, chosen =
 * argmax(log m - temperature log(-log u)); with probability `quantizeProbability`, one draw for each sequence, as Trax draws
 * for each accelerator's part of a batch, the mask is the one-hot choice with m's gradient (straight-through), else m itself.
 *
 * Jaszczur et al. 2021, section 3.1; Trax `SparseFF`. `sparse` is the same layer with a recipe that learns more.
 * Axes: B batch, T time, D model, R rank, F = G · N hidden units, G blocks, N units of a block.
 */
export const traxSparseFeedForward = defineFeedForward({
  name: "trax-sparse",
  summary: "the sparse layer trained as the paper's code does: masks that are hard by chance, else soft",
  causality: "yes",
  decoding: "the same, reads the chosen rows",
  options,
  unitStep: "blockSize",
  build: layer,
  cases: [
    { options: { blockSize: 4 } },
    { options: { blockSize: 4, rank: 3, multiplyByControllerOutput: true, kernelScaling: true } },
  ],
});

function layer(config: FeedForwardDimensions & Resolved<typeof options>): DecodedLayer<OneOfEachBlockParams> {
  const { dModel, dFf, blockSize, temperature, quantizeProbability, multiplyByControllerOutput } = config;
  const { rank = Math.max(1, Math.floor(dFf / blockSize)), kernelScaling } = config;
  const { params, blocks, logits, units, output, outputOfRows } = oneOfEachBlock({
    dModel,
    dFf,
    blockSize,
    rank,
    controllerOutputs: dFf,
    outerGain: kernelScaling ? Math.sqrt(blockSize) : 1,
  });

  type W = Weights<OneOfEachBlockParams>;
  const masked = (w: W, x: Tensor, mask: Tensor, factor: Tensor | undefined): Tensor => {
    const on = relu(mul(units(w, x), mask));
    return output(w, factor ? mul(on, factor) : on);
  };
  const trained = (w: W, x: Tensor, { random }: Context): Tensor => {
    const [batch, time] = x.shape as [number, number];
    const opinion = logits(w, x);
    const soft = softmax(opinion);
    const noise = reshape(random.uniform([batch * time, blocks, blockSize]), opinion.shape);
    // Gumbel noise is -log(-log u); the logits stand for log m, from which they differ by the same in a whole block.
    const chosen = argMax(sub(stopGradient(opinion), mul(log(neg(log(noise))), temperature)));
    const quantize = less(random.uniform([batch, 1, 1, 1]), quantizeProbability);
    // The soft mask's gradient in both cases: an estimator where the mask is hard, its own where it is soft.
    const mask = straightThrough(select(quantize, oneHot(chosen, { classes: blockSize }), soft), soft);
    const factor = multiplyByControllerOutput ? select(quantize, stopGradient(soft), 1) : undefined;
    return masked(w, x, mask, factor);
  };
  const evaluated = (w: W, x: Tensor): Tensor => {
    const opinion = logits(w, x);
    const factor = multiplyByControllerOutput ? softmax(opinion) : undefined;
    return masked(w, x, oneHot(argMax(opinion), { classes: blockSize }), factor);
  };
  return {
    params,
    apply: (w, x, context) => (context.mode === "train" ? trained(w, x, context) : evaluated(w, x)),
    decode(w, x) {
      if (!readsRows(x)) return evaluated(w, x);
      const opinion = logits(w, x);
      return outputOfRows(w, x, argMax(opinion), (seen) =>
        multiplyByControllerOutput ? mul(relu(seen), chosenProbability(opinion)) : relu(seen),
      );
    },
  };
}
