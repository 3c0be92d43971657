import {
  add,
  argMax,
  cast,
  concat,
  constant,
  cos,
  einsum,
  gather,
  iota,
  less,
  log,
  mul,
  neg,
  reshape,
  type Shape,
  select,
  slice,
  softmax,
  sqrt,
  stopGradient,
  type Tensor,
  topK,
  transpose,
} from "@finegrain/graph";
import { expectDivisible, expectPositive } from "../../config-error.ts";
import { type Context, type RandomSource, randomSource } from "../../context.ts";
import { dropout } from "../dropout.ts";
import { attendChunks, type ChunkConfig, expectChunks } from "./chunks.ts";
import { headWidth } from "./heads.ts";
import { ofHeads, padded, type SelfAttention, type SelfAttentionConfig } from "./self-attention.ts";

export interface LshAttentionConfig extends Omit<SelfAttentionConfig, "shareQK" | "chunks"> {
  /** Of the tokens in the order of their buckets. */
  readonly chunks: ChunkConfig;
  /** Rounds of hashing. */
  readonly hashes: number;
  /** Buckets of a round. Even. */
  readonly buckets: number;
  /**
   * float32 [width of a head, hashes, buckets / 2]: what vectors are hashed by, normally distributed. Default: drawn, anew in every pass of
   * a training and the same in every evaluation.
   */
  readonly rotations?: Tensor;
}

/**
 * Attention to the tokens that are likely to matter: queries, which are keys too, that point in about the same direction fall into
 * one bucket; tokens are sorted by their buckets, and attend to their chunk of that order and the chunks around it. Its time grows with
 * the length of a text as sorting does.
 *
 *   bucket = argmax [x R, -x R];  over the rounds r  y = Σ_r softmax_r(evidence_r) y_r
 *
 * Kitaev et al. 2020, "Reformer", section 2; Trax `LSHSelfAttention`. Which chunk a token is in depends on later ones, even where none
 * of them is attended to: there is no decode that equals it. In a reversible block the backward pass computes a branch's input anew, with
 * another rounding: a vector that lies on the border of two buckets may then fall into the other one, so that the gradient is that of a
 * neighbouring choice.
 *
 * @throws FinegrainError where the buckets are not even, or a chunk, the rounds or the buckets are none.
 */
export function lshAttention(config: LshAttentionConfig): SelfAttention {
  const { chunks, hashes, buckets, causal = true, dropout: rate = 0 } = config;
  expectChunks("LSH attention", chunks);
  expectPositive("LSH attention", "hashes", hashes);
  const shape = [headWidth(config), hashes, expectDivisible("LSH attention", "buckets", buckets, "directions", 2)];
  return ofHeads({ ...config, shareQK: true }, (heads, isToken, context) => {
    const sequence = padded(heads, isToken, chunks.chunk);
    const rotations = config.rotations ?? rotationsOf(context, shape);
    const order = sortedByBucket(sequence.query, rotations, sequence.isToken);
    const sorted = (x: Tensor) => inOrder(x, order);
    const found = attendChunks(
      {
        query: sorted(sequence.query),
        key: sorted(sequence.key),
        value: sorted(sequence.value),
        places: reshape(order, [order.shape[0]!, hashes * order.shape[2]!]),
        isToken: sequence.isToken && less(0.5, sorted(cast(sequence.isToken, "float32"))),
      },
      { ...chunks, causal, avoidSelf: true, drop: (weights) => dropout(weights, context, { rate }) },
    );
    return slice(joinRounds(found, order), { starts: [0, 0, 0], ends: heads.value.shape });
  });
}

/**
 * Places of tokens in the order of their buckets, round by round, and behind them all those of padding, so that its length decides
 * nothing: query [rows, time, width], isToken bool [rows, time] -> int32 [rows, hashes, time].
 */
function sortedByBucket(query: Tensor, rotations: Tensor, isToken: Tensor | undefined): Tensor {
  const buckets = bucketsOf(query, rotations);
  if (isToken === undefined) return ascending(buckets);
  const [rows, time] = isToken.shape as [number, number];
  return ascending(select(reshape(isToken, [rows, 1, time]), buckets, 2 * rotations.shape[2]!));
}

/** Of each round the bucket of every token: query [rows, time, width] -> int32 [rows, hashes, time]. */
export function bucketsOf(query: Tensor, rotations: Tensor): Tensor {
  const turned = einsum(stopGradient(query), rotations, "N T F, F H R -> N H T R");
  return argMax(concat(turned, neg(turned), { axis: 3 }));
}

/** Where along the last axis the numbers are from the least on, equal ones in their order: int32 -> int32 of the same shape. */
const ascending = (x: Tensor): Tensor => topK(neg(cast(x, "float32")), { k: x.shape.at(-1)! });

/** Rows by their places, as many as there are in each round: x [rows, length, ...] and order [rows, rounds, n] -> [rows, rounds n, ...]. */
export function inOrder(x: Tensor, order: Tensor): Tensor {
  const [rows, length, ...rest] = x.shape as [number, number, ...number[]];
  const [, rounds, count] = order.shape as [number, number, number];
  const start = mul(iota({ shape: [rows, 1, 1], axis: 0 }), length);
  return reshape(gather(reshape(x, [rows * length, ...rest]), add(order, start)), [
    order.shape[0]!,
    rounds * count,
    ...rest,
  ]);
}

/** What the rounds found, back in the text's order, each with its part of the evidence: float32 [rows, time, width]. */
function joinRounds({ y, evidence }: { y: Tensor; evidence: Tensor }, order: Tensor): Tensor {
  const [rows, hashes, time] = order.shape as [number, number, number];
  const back = reshape(ascending(order), [rows * hashes, 1, time]);
  const restored = (x: Tensor) => {
    const rest = x.shape.slice(2);
    return reshape(inOrder(reshape(x, [rows * hashes, time, ...rest]), back), [rows, hashes, time, ...rest]);
  };
  if (hashes === 1) return reshape(restored(y), [rows, time, y.shape[2]!]);
  const share = softmax(transpose(restored(evidence), [0, 2, 1]));
  return einsum(share, restored(y), "N T H, N H T D -> N T D");
}

/** Normally distributed, by Box and Muller. In evaluation the same ones every time. */
export function rotationsOf({ mode, random }: Context, shape: Shape): Tensor {
  const source = mode === "train" ? random : fixed();
  const length = sqrt(mul(log(source.uniform(shape)), -2));
  return mul(length, cos(mul(source.uniform(shape), 2 * Math.PI)));
}

function fixed(): RandomSource {
  const zeros = (shape: Shape, data: readonly number[]) => constant({ dtype: "int32", shape, data: [...data] });
  return randomSource(zeros([2], [0, 0]), zeros([], [0]));
}
