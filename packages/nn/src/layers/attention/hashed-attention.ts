import {
  add,
  cast,
  concat,
  einsum,
  equal,
  iota,
  lessEqual,
  reduceMax,
  reshape,
  scalar,
  select,
  slice,
  softmax,
  type Tensor,
  type TensorType,
  topK,
  updateSlice,
} from "@finegrain/graph";
import { evaluation } from "../../context.ts";
import { type Resolved, whole } from "../../definition/option.ts";
import { eachStream } from "../streams.ts";
import { HIDDEN, hiding } from "./attend-heads.ts";
import { ITSELF } from "./chunks.ts";
import { type AttentionLayer, defineAttention } from "./definition.ts";
import { type HeadsConfig, headWidth } from "./heads.ts";
import { bucketsOf, inOrder, lshAttention, rotationsOf } from "./lsh-attention.ts";
import { aroundHeads, type HeadRows, type SelfAttentionParams } from "./self-attention.ts";

const options = {
  chunk: whole({ doc: "tokens of a chunk, in the order of their buckets", default: 64 }),
  chunksBefore: whole({ least: 0, doc: "chunks before its own that a token sees", default: 1 }),
  hashes: whole({ doc: "rounds of hashing", default: 2 }),
  buckets: whole({ doc: "buckets of a round, an even number", default: 32 }),
};
type Config = HeadsConfig & Resolved<typeof options>;
type Caches<V> = Readonly<Record<"keys" | "values" | "buckets", V>>;

/**
 * {@link lshAttention} in a model. In both directions a token sees as many chunks behind its own as before it.
 *
 * Decoding, a token sees the latest ones that share a bucket with it in some round, and where these are few the latest of all, as many
 * together as it sees in the chunks of all rounds: what the full pass sees where that is the whole text. Trax `LSHSelfAttention`.
 */
export const hashedAttention = defineAttention({
  name: "lsh",
  summary: "attend to the tokens that fall into the same bucket, in chunks: long texts in little time",
  bothDirections: true,
  options,
  check({ buckets }, at) {
    if (buckets % 2 !== 0) at.refuse(`${at.option("buckets")} must be even, not ${buckets}`);
  },
  build: layer,
  cases: [
    { options: { chunk: 16, hashes: 1, buckets: 4 } },
    { options: { chunk: 16, buckets: 2 } },
    // A text that a token sees as a whole when it is decoded, and by its chunks does not.
    { options: { chunk: 3, hashes: 1, buckets: 4 }, decodes: { chunk: 16 } },
  ],
});

function layer(config: Config): AttentionLayer<SelfAttentionParams, "keys" | "values" | "buckets"> {
  const { heads, chunk, chunksBefore, hashes, buckets, causal = true } = config;
  const width = headWidth(config);
  const own = { ...config, shareQK: true };
  const chunks = { chunk, chunksBefore, chunksAfter: causal ? 0 : chunksBefore };
  const { params, apply } = lshAttention({ ...own, chunks });
  const around = aroundHeads(own);
  const most = chunk * (1 + chunksBefore) * hashes;
  return {
    params,
    apply,
    caches(batch, capacity) {
      const vectors: TensorType = { dtype: "float32", shape: [batch * heads, capacity, width] };
      return {
        keys: vectors,
        values: vectors,
        buckets: { dtype: "float32", shape: [batch * heads, hashes, capacity] },
      };
    },
    decode(w, x, caches, position) {
      const rows = around.heads(w, x, evaluation, position);
      const rotations = rotationsOf(evaluation, [width, hashes, buckets / 2]);
      const hashed = cast(bucketsOf(rows.query, rotations), "float32");
      const { y, ...kept } = eachStream({ ...rows, ...caches, hashed }, position, (own, position) => {
        const kept = {
          keys: updateSlice(own.keys, own.key, position, { axis: 1 }),
          values: updateSlice(own.values, own.value, position, { axis: 1 }),
          buckets: updateSlice(own.buckets, own.hashed, position, { axis: 2 }),
        };
        return { y: attendLatest(own, own.hashed, kept, position, most), ...kept };
      });
      return { y: around.output(w, y, evaluation), caches: kept };
    },
  };
}

/** So many new tokens gather what they attend to at a time: each has rows of its own. */
const GATHERING = 64;

/** Attention of new tokens, the first at `position`, to `most` of those that are kept: float32 [rows, new, width]. */
function attendLatest(
  { query }: HeadRows,
  hashed: Tensor,
  { keys, values, buckets }: Caches<Tensor>,
  position: Tensor,
  most: number,
): Tensor {
  const [rows, time, width] = query.shape as [number, number, number];
  const capacity = keys.shape[1]!;
  const own = add(iota({ shape: [1, time, 1], axis: 1 }), position);
  const places = iota({ shape: [1, 1, capacity], axis: 2 });
  const seen = (at: Tensor, own: Tensor, scores: Tensor) =>
    add(add(scores, hiding(lessEqual(at, own))), select(equal(at, own), scalar(ITSELF), 0));
  if (most >= capacity) {
    const weights = softmax(seen(places, own, einsum(query, keys, "N T D, N S D -> N T S")));
    return einsum(weights, values, "N T S, N S D -> N T D");
  }
  const rounds = hashed.shape[1]!;
  const shares = equal(reshape(buckets, [rows, rounds, 1, capacity]), reshape(hashed, [rows, rounds, time, 1]));
  const place = cast(places, "float32");
  const shared = reduceMax(cast(shares, "float32"), { axes: [1] });
  const urgency = select(lessEqual(places, own), add(select(lessEqual(shared, 0), scalar(0), capacity), place), HIDDEN);
  const chosen = topK(urgency, { k: most }); // [rows, new, most]
  const attended = (query: Tensor, chosen: Tensor, own: Tensor): Tensor => {
    const [near, worth] = [keys, values].map((x) => reshape(inOrder(x, chosen), [...chosen.shape, width]));
    const weights = softmax(seen(chosen, own, einsum(query, near!, "N T D, N T S D -> N T S")));
    return einsum(weights, worth!, "N T S, N T S D -> N T D");
  };
  if (time <= GATHERING) return attended(query, chosen, own);
  const parts = Array.from({ length: Math.ceil(time / GATHERING) }, (_, i) => {
    const part = (x: Tensor) =>
      slice(x, { starts: [0, i * GATHERING, 0], ends: x.shape.with(1, Math.min(time, (i + 1) * GATHERING)) });
    return attended(part(query), part(chosen), part(own));
  });
  return concat(...parts, { axis: 1 });
}
