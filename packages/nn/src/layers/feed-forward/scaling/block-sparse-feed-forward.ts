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
import { expectDivisible } from "../../../config-error.ts";
import { type Context, evaluation } from "../../../context.ts";
import { glorot, zeros } from "../../../init.ts";
import { type DecodedLayer, type Param, param, type Weights } from "../../../layer.ts";
import { reportRouting } from "../experts/routing.ts";

export interface BlockSparseFeedForwardConfig {
  readonly dModel: number;
  /** Hidden units of all experts together. */
  readonly dFf: number;
  readonly experts: number;
  /** Of the Gumbel noise in training. Default 0.7 for block-sparse, 0.1 for Switch. */
  readonly temperature?: number;
}

export type BlockSparseFeedForwardParams = {
  readonly controller: { readonly kernel: Param };
  readonly inner: { readonly kernel: Param };
  readonly outer: { readonly kernel: Param; readonly bias: Param };
};
type W = Weights<BlockSparseFeedForwardParams>;

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
 *
 * @throws FinegrainError where `dFf` is not a multiple of `experts`.
 */
export function blockSparseFeedForward(
  config: BlockSparseFeedForwardConfig,
): DecodedLayer<BlockSparseFeedForwardParams> {
  const { experts: count, temperature = 0.7 } = config;
  return oneExpert(config, "blockSparseFeedForward", (logits, context) => {
    const hot = oneHot(chosenOf(logits, temperature, context), { classes: count });
    if (context.mode === "evaluate") return hot;
    const soft = softmax(logits);
    const isHard = less(1 - QUANTIZE, reshape(context.random.uniform([1]), []));
    return straightThrough(select(isHard, hot, soft), soft);
  });
}

/**
 * As {@link blockSparseFeedForward}, with the chosen expert's units multiplied by its probability, which is how the
 * controller learns: mask = onehot(argmax_E(x·C)) ⊙ softmax(x·C). Trax `SwitchSparseFF`; Fedus et al. 2021, without a capacity.
 *
 * @throws FinegrainError where `dFf` is not a multiple of `experts`.
 */
export function switchFeedForward(config: BlockSparseFeedForwardConfig): DecodedLayer<BlockSparseFeedForwardParams> {
  const { experts: count, temperature = 0.1 } = config;
  return oneExpert(config, "switchFeedForward", (logits, context) =>
    mul(oneHot(chosenOf(logits, temperature, context), { classes: count }), softmax(logits)),
  );
}

/** The largest logit, in training after Gumbel noise: [B, T, E] -> [B, T]. */
function chosenOf(logits: Tensor, temperature: number, { mode, random }: Context): Tensor {
  if (mode === "evaluate") return argMax(logits);
  const [batch, time, count] = logits.shape as [number, number, number];
  const noise = reshape(random.uniform([batch * time, count]), logits.shape);
  return argMax(sub(stopGradient(logits), mul(log(neg(log(noise))), temperature)));
}

/** `mask` makes what the experts' units are multiplied by, [B, T, E], of the controller's logits. */
function oneExpert(
  { dModel, dFf, experts: count }: BlockSparseFeedForwardConfig,
  name: string,
  mask: (logits: Tensor, context: Context) => Tensor,
): DecodedLayer<BlockSparseFeedForwardParams> {
  const units = expectDivisible(name, "dFf", dFf, "experts", count);
  const logitsOf = (w: W, x: Tensor): Tensor => einsum(x, w.controller.kernel, "B T D, D E -> B T E");
  return {
    params: {
      controller: { kernel: param([dModel, count], glorot(dModel, count)) },
      inner: { kernel: param([count, units, dModel], glorot(dModel, dFf)) },
      outer: { kernel: param([count, units, dModel], glorot(dFf, dModel)), bias: param([dModel], zeros) },
    },
    apply(w, x, context) {
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
    },
    decode(w, x) {
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
