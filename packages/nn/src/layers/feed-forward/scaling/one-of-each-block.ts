import { add, constant, einsum, gather, reduceMax, reshape, softmax, type Tensor } from "@finegrain/graph";
import { glorot, zeros } from "../../../init.ts";
import { type Param, param, type Weights } from "../../../layer.ts";

/*
 * What the feed-forward layers share in which a low-rank controller turns on one unit of every block: Jaszczur et al. 2021,
 * section 3.1. Both large matrices are stored unit-major, [F, D], block by block, so that decode reads one contiguous row of
 * each for a chosen unit.
 * Axes: B batch, T time, D model, R rank, F = G · N hidden units, G blocks, N units of a block.
 */

export type OneOfEachBlockParams = {
  readonly controller: { readonly down: Param; readonly up: Param; readonly bias: Param };
  readonly inner: { readonly kernel: Param };
  readonly outer: { readonly kernel: Param; readonly bias: Param };
};

type W = Weights<OneOfEachBlockParams>;

export interface OneOfEachBlockConfig {
  readonly dModel: number;
  readonly dFf: number;
  readonly blockSize: number;
  readonly rank: number;
  /** The controller's second matrix starts as glorot(rank, controllerOutputs). */
  readonly controllerOutputs: number;
  /** How many times larger the outer matrix starts. */
  readonly outerGain: number;
}

/** Up to as many new tokens are decoded by reading their chosen rows; more are masked, as a dense product. */
const GATHERED_TOKENS = 16;

/** Whether so few tokens, x float32 [B, T, D], are decoded by reading rows. */
export const readsRows = ({ shape: [batch, time] }: Tensor): boolean => batch! * time! <= GATHERED_TOKENS;

/** The controller's probability of its own choice: logits [B, T, G, N] -> float32 [B, T, G]. */
export const chosenProbability = (logits: Tensor): Tensor =>
  reduceMax(softmax(logits), { axes: [logits.shape.length - 1] });

/** The parameters, and the products that they stand for. */
export function oneOfEachBlock(config: OneOfEachBlockConfig) {
  const { dModel, dFf, blockSize, rank, controllerOutputs, outerGain } = config;
  const blocks = dFf / blockSize;
  const params: OneOfEachBlockParams = {
    controller: {
      down: param([rank, dModel], glorot(dModel, rank)),
      up: param([rank, dFf], glorot(rank, controllerOutputs)),
      bias: param([dFf], zeros),
    },
    inner: { kernel: param([dFf, dModel], glorot(dModel, dFf)) },
    outer: { kernel: param([dFf, dModel], glorot(dFf, dModel, outerGain)), bias: param([dModel], zeros) },
  };
  const first = constant({
    dtype: "int32",
    shape: [blocks],
    data: Array.from({ length: blocks }, (_, g) => g * blockSize),
  });
  return {
    params,
    blocks,
    /** The controller's opinion of every unit: x [B, T, D] -> float32 [B, T, G, N]. */
    logits({ controller: c }: W, x: Tensor): Tensor {
      const [batch, time] = x.shape as [number, number];
      const narrow = einsum(x, c.down, "B T D, R D -> B T R");
      return reshape(add(einsum(narrow, c.up, "B T R, R F -> B T F"), c.bias), [batch, time, blocks, blockSize]);
    },
    /** What every unit sees: x [B, T, D] -> float32 [B, T, G, N]. */
    units(w: W, x: Tensor): Tensor {
      const [batch, time] = x.shape as [number, number];
      return reshape(einsum(x, w.inner.kernel, "B T D, F D -> B T F"), [batch, time, blocks, blockSize]);
    },
    /** The layer's output from all its units: hidden [B, T, G, N] -> [B, T, D]. */
    output(w: W, hidden: Tensor): Tensor {
      const [batch, time] = hidden.shape as [number, number];
      const flat = reshape(hidden, [batch, time, dFf]);
      return add(einsum(flat, w.outer.kernel, "B T F, F D -> B T D"), w.outer.bias);
    },
    /**
     * The layer's output from one unit of each block, of whose rows alone anything is read.
     *
     *   chosen   int32    [B, T, G]    the unit's place in its block
     *   hidden   what becomes of the units, float32 [B, T, G]
     */
    outputOfRows(w: W, x: Tensor, chosen: Tensor, hidden: (units: Tensor) => Tensor): Tensor {
      const rows = add(chosen, first);
      const on = hidden(einsum(x, gather(w.inner.kernel, rows), "B T D, B T G D -> B T G"));
      return add(einsum(on, gather(w.outer.kernel, rows), "B T G, B T G D -> B T D"), w.outer.bias);
    },
  };
}
