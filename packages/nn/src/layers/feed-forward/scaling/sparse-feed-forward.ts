import {
  add,
  argMax,
  constant,
  einsum,
  gather,
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
import { glorot, zeros } from "../../../init.ts";
import { type DecodedLayer, type Param, param, type Weights } from "../../../layer.ts";
import { defineFeedForward, type FeedForwardDimensions } from "../definition.ts";

export type SparseFeedForwardParams = {
  readonly controller: { readonly down: Param; readonly up: Param; readonly bias: Param };
  readonly inner: { readonly kernel: Param };
  readonly outer: { readonly kernel: Param; readonly bias: Param };
};

const usualRank = (dModel: number, blockSize: number): number => Math.max(1, Math.floor(dModel / blockSize));

const options = {
  blockSize: whole({ doc: "N: units of a block, of which exactly one is on", suggest: () => 16 }),
  rank: whole({
    doc: "rank of the controller",
    otherwise: "dModel / blockSize, as in the paper",
    suggest: ({ dModel, chosen }) => usualRank(dModel, chosen.blockSize!),
  }),
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

export type SparseFeedForwardConfig = FeedForwardDimensions & Given<typeof options>;

/** Up to as many new tokens are decoded by reading their chosen rows; more are masked, as a dense product. */
const GATHERED_TOKENS = 4;

/**
 * Feed-forward layer in which a low-rank controller turns on one hidden unit in every block.
 *
 *   y = (relu(x·W₁ᵀ) ⊙ onehot(argmax_N(x·C₁·C₂ + c)))·W₂ + b
 *
 * In training the choice is drawn with the Gumbel-softmax trick: m = softmax of the controller over a block, chosen =
 * argmax(log m - temperature log(-log u)); with probability `quantizeProbability`, one draw a pass, the mask is the one-hot
 * choice with m's gradient (straight-through), else it is m itself.
 *
 * Jaszczur et al. 2021, section 3.1; Trax `SparseFF`. Both matrices are stored unit-major, [F, D], block by block, so that
 * decode reads one contiguous row of each for a chosen unit.
 * Axes: B batch, T time, D model, R rank, F = G · N hidden units, G blocks, N units of a block.
 */
export const sparseFeedForward = defineFeedForward({
  name: "sparse",
  summary: "a controller turns on one unit in every `blockSize`; masked dense products in training",
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

function layer(config: FeedForwardDimensions & Resolved<typeof options>): DecodedLayer<SparseFeedForwardParams> {
  const { dModel, dFf, blockSize, temperature, quantizeProbability } = config;
  const { multiplyByControllerOutput, kernelScaling, rank = usualRank(dModel, blockSize) } = config;
  const blocks = dFf / blockSize;

  type W = Weights<SparseFeedForwardParams>;
  /** The controller's opinion: [B, T, D] -> [B, T, G, N]. */
  const controllerLogits = ({ controller: c }: W, x: Tensor): Tensor => {
    const [batch, time] = x.shape as [number, number];
    const narrow = einsum(x, c.down, "B T D, R D -> B T R");
    return reshape(add(einsum(narrow, c.up, "B T R, R F -> B T F"), c.bias), [batch, time, blocks, blockSize]);
  };
  const units = (w: W, x: Tensor) => einsum(x, w.inner.kernel, "B T D, F D -> B T F");
  /** relu(units ⊙ mask) ⊙ factor, times the outer matrix; mask and factor are [B, T, G, N]. */
  const masked = (w: W, x: Tensor, mask: Tensor, factor: Tensor | undefined): Tensor => {
    const [batch, time] = x.shape as [number, number];
    const flat = (m: Tensor) => reshape(m, [batch, time, dFf]);
    const on = relu(mul(units(w, x), flat(mask)));
    const hidden = factor ? mul(on, flat(factor)) : on;
    return add(einsum(hidden, w.outer.kernel, "B T F, F D -> B T D"), w.outer.bias);
  };
  const trained = (w: W, x: Tensor, { random }: Context): Tensor => {
    const [batch, time] = x.shape as [number, number];
    const logits = controllerLogits(w, x);
    const soft = softmax(logits);
    const noise = reshape(random.uniform([batch * time, blocks, blockSize]), logits.shape);
    // Gumbel noise is -log(-log u); the logits stand for log m, from which they differ by the same in a whole block.
    const chosen = argMax(sub(stopGradient(logits), mul(log(neg(log(noise))), temperature)));
    const quantize = less(reshape(random.uniform([1]), []), quantizeProbability);
    // The soft mask's gradient in both cases: an estimator where the mask is hard, its own where it is soft.
    const mask = straightThrough(select(quantize, oneHot(chosen, { classes: blockSize }), soft), soft);
    const factor = multiplyByControllerOutput ? select(quantize, stopGradient(soft), 1) : undefined;
    return masked(w, x, mask, factor);
  };
  const evaluated = (w: W, x: Tensor): Tensor => {
    const logits = controllerLogits(w, x);
    const factor = multiplyByControllerOutput ? softmax(logits) : undefined;
    return masked(w, x, oneHot(argMax(logits), { classes: blockSize }), factor);
  };
  const first = constant({
    dtype: "int32",
    shape: [blocks],
    data: Array.from({ length: blocks }, (_, g) => g * blockSize),
  });

  const gain = kernelScaling ? Math.sqrt(blockSize) : 1;
  return {
    params: {
      controller: {
        down: param([rank, dModel], glorot(dModel, rank)),
        up: param([rank, dFf], glorot(rank, blockSize)),
        bias: param([dFf], zeros),
      },
      inner: { kernel: param([dFf, dModel], glorot(dModel, dFf)) },
      outer: { kernel: param([dFf, dModel], glorot(dFf, dModel, gain)), bias: param([dModel], zeros) },
    },
    apply: (w, x, context) => (context.mode === "train" ? trained(w, x, context) : evaluated(w, x)),
    decode(w, x) {
      const [batch, time] = x.shape as [number, number];
      if (batch * time > GATHERED_TOKENS) return evaluated(w, x);
      const logits = controllerLogits(w, x);
      const chosen = argMax(logits);
      const rows = add(chosen, first);
      const on = relu(einsum(x, gather(w.inner.kernel, rows), "B T D, B T G D -> B T G"));
      const hidden = multiplyByControllerOutput ? mul(on, chosenProbability(logits, chosen)) : on;
      return add(einsum(hidden, gather(w.outer.kernel, rows), "B T G, B T G D -> B T D"), w.outer.bias);
    },
  };
}

/** softmax(logits) at the chosen unit of every block: [B, T, G]. */
const chosenProbability = (logits: Tensor, chosen: Tensor): Tensor =>
  einsum(softmax(logits), oneHot(chosen, { classes: logits.shape.at(-1)! }), "B T G N, B T G N -> B T G");
