import {
  argMax,
  log,
  mul,
  neg,
  oneHot,
  reshape,
  softmax,
  stopGradient,
  straightThrough,
  sub,
  type Tensor,
} from "@finegrain/graph";
import { type Context, evaluation } from "../../../context.ts";
import { type Given, number, type Resolved, whole } from "../../../definition/option.ts";
import type { DecodedLayer, Weights } from "../../../layer.ts";
import { defineFeedForward, type FeedForwardDimensions } from "../definition.ts";
import { addLoss, loadBalancingLoss } from "../experts/routing.ts";
import { chosenProbability, type OneOfEachBlockParams, oneOfEachBlock, readsRows } from "./one-of-each-block.ts";

/** Parts of the model's width that the controller's rank is. */
const RANKS = 8;
const usualRank = (dModel: number): number => Math.max(1, Math.round(dModel / RANKS));

const options = {
  blockSize: whole({ doc: "N: units of a block, of which exactly one is on", suggest: () => 8 }),
  rank: whole({
    doc: "rank of the controller",
    otherwise: `dModel / ${RANKS}`,
    suggest: ({ dModel }) => usualRank(dModel),
  }),
  temperature: number({ least: 0, doc: "of Gumbel noise on the choice in training; 0 is none", default: 0 }),
  balance: number({ least: 0, doc: "weight of the loss that keeps all units of a block in use", default: 0.01 }),
};

export type SparseFeedForwardConfig = FeedForwardDimensions & Given<typeof options>;

/**
 * Feed-forward layer in which a low-rank controller turns on one hidden unit in every block, and says by how much.
 *
 *   p = softmax_N(x·C₁·C₂ + c);  y = ((x·W₁ᵀ) ⊙ N p ⊙ onehot(argmax_N p))·W₂ + b
 *
 * The unit that is on has no activation function: N p, its probability as a factor, makes the layer non-linear, and is 1 where
 * the controller has no opinion. Training chooses as decoding does, with Gumbel noise on the choice where `temperature` says so;
 * it never computes with a soft mask. The gradient takes N p as the factor of all units, also of those that are off, so the controller learns from
 * what they would have added. `balance` is the weight of Switch's loss, over the units of each block:
 * N Σ_N (part of the tokens for which a unit is on) (its mean probability), averaged over the blocks, 1 where they are used
 * alike.
 *
 * The layer, its decode and its controller are those of Jaszczur et al. 2021, section 3.1 (`trax-sparse` trains it as they do);
 * the factor and the balance are those of Fedus et al. 2021, "Switch Transformers", section 2.2, for single units.
 * Axes: B batch, T time, D model, R rank, F = G · N hidden units, G blocks, N units of a block.
 */
export const sparseFeedForward = defineFeedForward({
  name: "sparse",
  summary: "a controller turns on one unit in every `blockSize`, times its probability; dense products in training",
  causality: "yes",
  decoding: "the same, reads the chosen rows",
  options,
  unitStep: "blockSize",
  build: layer,
  cases: [{ options: { blockSize: 4 } }, { options: { blockSize: 4, rank: 3, temperature: 0.5, balance: 0 } }],
});

function layer(config: FeedForwardDimensions & Resolved<typeof options>): DecodedLayer<OneOfEachBlockParams> {
  const { dModel, dFf, blockSize, temperature, balance, rank = usualRank(dModel) } = config;
  const { params, blocks, logits, units, output, outputOfRows } = oneOfEachBlock({
    dModel,
    dFf,
    blockSize,
    rank,
    controllerOutputs: dFf,
    outerGain: 1,
  });

  type W = Weights<OneOfEachBlockParams>;
  const drawn = (opinion: Tensor, { random }: Context): Tensor => {
    if (temperature === 0) return argMax(opinion);
    const [batch, time] = opinion.shape as [number, number];
    const noise = reshape(random.uniform([batch * time, blocks, blockSize]), opinion.shape);
    return argMax(sub(stopGradient(opinion), mul(log(neg(log(noise))), temperature)));
  };
  const through = (w: W, x: Tensor, context: Context): Tensor => {
    const opinion = logits(w, x);
    const probability = softmax(opinion);
    const isTraining = context.mode === "train";
    const mask = oneHot(isTraining ? drawn(opinion, context) : argMax(opinion), { classes: blockSize });
    if (isTraining) addLoss(context, "balance", balance, imbalance(mask, probability));
    const chosen = mul(mask, probability);
    const factor = isTraining ? straightThrough(chosen, probability) : chosen;
    // N as a factor of x, which is the smallest of what it could multiply.
    return output(w, mul(units(w, mul(x, blockSize)), factor));
  };
  return {
    params,
    apply: through,
    decode(w, x) {
      if (!readsRows(x)) return through(w, x, evaluation);
      const opinion = logits(w, x);
      return outputOfRows(w, x, argMax(opinion), (seen) => mul(seen, mul(chosenProbability(opinion), blockSize)));
    },
  };
}

/**
 * Both float32 [B, T, G, N] -> float32 []: 1 where all units of every block are used alike, more where they are not. The
 * probabilities of all units sum to G, and so do their parts: as experts of one layer they come to G² times the blocks' mean.
 */
const imbalance = (mask: Tensor, probability: Tensor): Tensor =>
  mul(loadBalancingLoss(probability, mask, [0, 1]), 1 / mask.shape[2]! ** 2);
