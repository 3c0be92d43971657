import {
  add,
  concat,
  einsum,
  equal,
  exp,
  FinegrainError,
  less,
  logSumExp,
  not,
  reshape,
  scalar,
  select,
  slice,
  sub,
  type Tensor,
} from "@finegrain/graph";
import { expectPositive } from "../../config-error.ts";
import { HIDDEN } from "./attend-heads.ts";

/** Which chunks the tokens of a chunk attend to. */
export interface ChunkConfig {
  /** Tokens of a chunk. */
  readonly chunk: number;
  /** Chunks before the own one. */
  readonly chunksBefore: number;
  /** Chunks after the own one. */
  readonly chunksAfter: number;
}

/** @throws FinegrainError where a chunk has no tokens, or the chunks around it are no whole number. */
export function expectChunks(owner: string, { chunk, chunksBefore, chunksAfter }: ChunkConfig): void {
  expectPositive(owner, "chunk", chunk);
  for (const [name, count] of Object.entries({ chunksBefore, chunksAfter }))
    if (!Number.isInteger(count) || count < 0)
      throw new FinegrainError(`${owner}: ${name} must be a whole number, not ${count}`);
}

/** Queries, keys and values in the order in which they are cut into chunks: float32 [rows, length, width]. */
export interface Sequence {
  readonly query: Tensor;
  /** Scaled already. */
  readonly key: Tensor;
  readonly value: Tensor;
  /** int32 [rows, length] or [1, length]: a token's place in its text. */
  readonly places: Tensor;
  /** bool [rows, length] or [1, length]: false where there is nothing to attend to. Default: there is everywhere. */
  readonly isToken?: Tensor | undefined;
}

export interface ChunkAttending extends ChunkConfig {
  /** A token does not see those whose place is after its own. */
  readonly causal: boolean;
  /** A token attends to itself only where there is nothing else: its query is its key, which would always be the best. */
  readonly avoidSelf: boolean;
  /** What becomes of the weights of keys before values are added up by them. Default: they stay as they are. */
  readonly drop?: (weights: Tensor) => Tensor;
}

/** What is taken from the score of a token's own key: it then attends to itself only where there is nothing else. */
export const ITSELF = -1e5;

/**
 * Attention of every chunk's tokens to their own chunk and its neighbours; beyond the first chunk is the last one, and the other way
 * round. Kitaev et al. 2020, "Reformer"; Trax `attend`. `length` is a multiple of `chunk`.
 *
 *   y         float32 [rows, length, width]
 *   evidence  float32 [rows, length]    log Σ exp of a token's scores
 */
export function attendChunks(sequence: Sequence, config: ChunkAttending): { y: Tensor; evidence: Tensor } {
  const { query, key, value, places, isToken } = sequence;
  const { chunk, causal, avoidSelf, drop = (weights) => weights } = config;
  const [rows, length] = query.shape as [number, number, number];
  const count = length / chunk;
  const cut = (x: Tensor) => reshape(x, [x.shape[0]!, count, chunk, ...x.shape.slice(2)]);
  const near = (x: Tensor) => neighbours(cut(x), config);
  const [keys, values] = [near(key), near(value)];
  const seen = keys.shape[2]!;
  const ofQuery = (x: Tensor) => reshape(cut(x), [x.shape[0]!, count, chunk, 1]);
  const ofKey = (x: Tensor) => reshape(near(x), [x.shape[0]!, count, 1, seen]);

  let scores = einsum(cut(query), keys, "N Z C D, N Z S D -> N Z C S");
  const take = (where: Tensor, penalty: number) => {
    scores = add(scores, select(where, scalar(penalty), 0));
  };
  if (causal) take(less(ofQuery(places), ofKey(places)), HIDDEN);
  if (avoidSelf) take(equal(ofQuery(places), ofKey(places)), ITSELF);
  if (isToken) take(not(ofKey(isToken)), HIDDEN);
  const evidence = logSumExp(scores);
  const weights = exp(sub(scores, reshape(evidence, [rows, count, chunk, 1])));
  const y = einsum(drop(weights), values, "N Z C S, N Z S D -> N Z C D");
  return { y: reshape(y, [rows, length, value.shape[2]!]), evidence: reshape(evidence, [rows, length]) };
}

/** The chunks that each chunk sees, side by side: [rows, count, chunk, ...] -> [rows, count, seen, ...]. */
function neighbours(x: Tensor, { chunksBefore, chunksAfter }: ChunkConfig): Tensor {
  const offsets = Array.from({ length: chunksBefore + 1 + chunksAfter }, (_, i) => i - chunksBefore);
  const parts = offsets.map((offset) => turned(x, offset));
  return parts.length === 1 ? x : concat(...parts, { axis: 2 });
}

/** Chunk z becomes chunk z + offset, around the ends. */
function turned(x: Tensor, offset: number): Tensor {
  const count = x.shape[1]!;
  const first = ((offset % count) + count) % count;
  if (first === 0) return x;
  const none = x.shape.map(() => 0);
  const head = slice(x, { starts: none.with(1, first), ends: x.shape });
  return concat(head, slice(x, { starts: none, ends: x.shape.with(1, first) }), { axis: 1 });
}
