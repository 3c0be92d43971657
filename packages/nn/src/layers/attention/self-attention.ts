import { add, broadcastTo, div, iota, less, mean, mul, pad, reshape, slice, sqrt, type Tensor } from "@finegrain/graph";
import type { Context } from "../../context.ts";
import type { Weights } from "../../layer.ts";
import { dropout } from "../dropout.ts";
import type { Rotation } from "../positions/rotary.ts";
import { type DenseParams, dense } from "../projections/dense.ts";
import { attendChunks, type ChunkConfig, expectChunks, type Sequence } from "./chunks.ts";
import { type HeadDimensions, headWidth, join, split, turn } from "./heads.ts";

export interface SelfAttentionConfig extends HeadDimensions {
  /** How queries and keys are turned by their places; left out where they are not. */
  readonly rotary?: Rotation;
  /** A token attends to itself and earlier ones; else to all. Default true. */
  readonly causal?: boolean;
  /** Keys are the queries, of one length: a token then avoids itself. Default false. */
  readonly shareQK?: boolean;
  /** Whether queries, keys and values add a vector. Default false. */
  readonly bias?: boolean;
  /** Attend within chunks of a text, and to the chunks around each. Default: among all tokens. */
  readonly chunks?: ChunkConfig;
  /** Part of a query's weights that are dropped in training. Default 0. */
  readonly dropout?: number;
}

export type SelfAttentionParams = {
  readonly query: DenseParams;
  /** Absent where keys are the queries. */
  readonly key?: DenseParams;
  readonly value: DenseParams;
  readonly output: DenseParams;
};

/** Attention of a text to itself, some of whose tokens may be padding. */
export interface SelfAttention {
  readonly params: SelfAttentionParams;
  /**
   * x float32 [batch, time, dModel], and so what is returned.
   *
   * @param isToken bool [batch, time]: false where there is nothing to attend to. Default: there is everywhere.
   */
  apply(w: Weights<SelfAttentionParams>, x: Tensor, context: Context, isToken?: Tensor): Tensor;
}

/**
 * The attention of Kitaev et al. 2020, "Reformer", in full or in chunks of the text. Queries may be the keys as well, and nothing is
 * added after the heads. A text that is no whole number of chunks is padded. Trax `SelfAttention`.
 *
 * @throws FinegrainError where a chunk has no tokens, or sees fewer than no others.
 */
export function selfAttention(config: SelfAttentionConfig): SelfAttention {
  const { chunks, shareQK = false, causal = true, dropout: rate = 0 } = config;
  if (chunks) expectChunks("chunked attention", chunks);
  return ofHeads(config, (heads, isToken, context) => {
    const time = heads.query.shape[1]!;
    const cut = chunks ?? { chunk: time, chunksBefore: 0, chunksAfter: 0 };
    const sequence = padded(heads, isToken, cut.chunk);
    const { y } = attendChunks(sequence, {
      ...cut,
      causal,
      avoidSelf: shareQK,
      drop: (weights) => dropout(weights, context, { rate }),
    });
    return slice(y, { starts: [0, 0, 0], ends: heads.value.shape });
  });
}

/** Queries, keys and values of all heads, float32 [batch heads, time, width], keys scaled. */
export type HeadRows = Pick<Sequence, "query" | "key" | "value">;

/** The projections around an attention of heads. */
export interface AroundHeads {
  readonly params: SelfAttentionParams;
  /** Heads of tokens from `position` on: x float32 [batch, time, dModel]. */
  heads(w: Weights<SelfAttentionParams>, x: Tensor, context: Context, position?: Tensor | number): HeadRows;
  /** What heads found, float32 [batch heads, time, width] -> [batch, time, dModel]. */
  output(w: Weights<SelfAttentionParams>, found: Tensor, context: Context): Tensor;
}

/** @param attend gets bool [batch heads, time] or undefined, and returns float32 [batch heads, time, width]. */
export function ofHeads(
  config: SelfAttentionConfig,
  attend: (heads: HeadRows, isToken: Tensor | undefined, context: Context) => Tensor,
): SelfAttention {
  const { params, heads, output } = aroundHeads(config);
  return {
    params,
    apply(w, x, context, isToken) {
      const everyHead = isToken && overHeads(isToken, config.heads);
      return output(w, attend(heads(w, x, context), everyHead, context), context);
    },
  };
}

export function aroundHeads(config: SelfAttentionConfig): AroundHeads {
  const { dModel, heads, shareQK = false, bias = false } = config;
  const width = headWidth(config);
  const into = dense({ dIn: dModel, dOut: heads * width, bias });
  const output = dense({ dIn: heads * width, dOut: dModel, bias: false });
  return {
    params: { query: into.params, ...(shareQK ? {} : { key: into.params }), value: into.params, output: output.params },
    heads(w, x, context, position = 0) {
      const [batch, time] = x.shape as [number, number];
      const rows = (all: Tensor) => reshape(all, [batch * heads, time, width]);
      const turned = (of: Weights<DenseParams>) => rows(turn(into.apply(of, x, context), config, position));
      const query = turned(w.query);
      const key = mul(w.key ? turned(w.key) : ofOneLength(query), width ** -0.5);
      return { query, key, value: rows(split(into.apply(w.value, x, context), width)) };
    },
    output(w, found, context) {
      const [rows, time] = found.shape as [number, number];
      return output.apply(w.output, join(reshape(found, [rows / heads, heads, time, width])), context);
    },
  };
}

/** Scaled so that the mean square of its features is 1. */
const ofOneLength = (x: Tensor): Tensor => {
  const square = mean(mul(x, x), { axes: [x.shape.length - 1], keepDims: true });
  return div(x, sqrt(add(square, 1e-6)));
};

/** bool [batch, time] -> bool [batch heads, time]. */
function overHeads(isToken: Tensor, heads: number): Tensor {
  const [batch, time] = isToken.shape as [number, number];
  return reshape(broadcastTo(reshape(isToken, [batch, 1, time]), [batch, heads, time]), [batch * heads, time]);
}

/** A sequence of whole chunks: what is added is no token. */
export function padded(heads: HeadRows, isToken: Tensor | undefined, chunk: number): Sequence {
  const time = heads.query.shape[1]!;
  const more = Math.ceil(time / chunk) * chunk - time;
  const places = iota({ shape: [1, time + more], axis: 1 });
  if (more === 0) return { ...heads, places, isToken };
  const longer = (x: Tensor) =>
    pad(x, { low: x.shape.map(() => 0), high: x.shape.map((_, i) => (i === 1 ? more : 0)) });
  const [query, key, value] = [longer(heads.query), longer(heads.key), longer(heads.value)];
  return { query, key, value, places, isToken: isToken ? longer(isToken) : less(places, time) };
}
