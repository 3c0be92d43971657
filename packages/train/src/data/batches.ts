import { FinegrainError, type HostTensor, hostTensor, philox } from "@finegrain/graph";
import { seedKey } from "@finegrain/nn";
import type { Tokens } from "./corpus.ts";
import { permutation } from "./permutation.ts";

export interface BatchSize {
  /** Windows in a batch. */
  readonly batch: number;
  /** Tokens that a window trains on: it holds one more, since the target of each is the next. */
  readonly length: number;
}

export interface TrainBatches extends BatchSize {
  /** Windows in an epoch. */
  readonly windows: number;
  /** Epoch (from 0) that the first window of this step belongs to. */
  epoch(step: number): number;
  /**
   * The batch of step number `step` (from 0), as a trainer takes it: int32 [batch, length + 1], or behind sources more. A pure function of the step and the seed, so
   * that a run that resumes at step N sees exactly what it would have seen.
   */
  at(step: number): HostTensor;
  /** The micro-batches of a step that sums so many, as a trainer takes them: those of its share, or all. */
  ofStep(step: number, accumulate: number, share?: { readonly start: number; readonly end: number }): HostTensor[];
}

/** Second counter word of the draw of an epoch's offset. */
const OFFSET_DRAW = 0x6f666673;

/**
 * Batches of windows over a stream of tokens, shuffled. An epoch cuts the stream into windows whose starts are `length`
 * apart, beginning at a random offset and wrapping around, so that windows do not overlap (but for the token that is the
 * last target of one and the first input of another) and epochs cut differently; it visits them in a random order.
 * Epochs follow each other without a gap: a batch may hold the last windows of one and the first of the next.
 *
 * @param tokens the training tokens, not copied.
 * @param seed any integer up to 2^53.
 * @throws FinegrainError where there are fewer tokens than one batch needs, with the numbers.
 */
export function trainBatches(
  tokens: Tokens,
  { batch, length, seed }: BatchSize & { readonly seed: number },
): TrainBatches {
  checkSize({ batch, length });
  const windows = Math.floor((tokens.length - 1) / length);
  if (windows < batch) {
    throw new FinegrainError(
      `the training text has ${tokens.length} tokens, fewer than one batch of ${batch} windows of ${length} needs: ${batch * length + 1}`,
    );
  }
  const starts = tokens.length - length;
  // The last epoch's permutation is kept only to save work: it follows from the seed and the epoch.
  let last: { epoch: number; offset: number; order: (index: number) => number } | undefined;
  const epochAt = (epoch: number) => {
    if (last?.epoch !== epoch) {
      const [bits] = philox(seedKey(seed), [epoch, OFFSET_DRAW], 1);
      last = { epoch, offset: (bits! >>> 0) % starts, order: permutation(windows, seed, epoch) };
    }
    return last;
  };
  const at = (step: number): HostTensor => {
    const data = new Int32Array(batch * (length + 1));
    for (let row = 0; row < batch; row++) {
      const index = step * batch + row;
      const { offset, order } = epochAt(Math.floor(index / windows));
      const start = (offset + order(index % windows) * length) % starts;
      data.set(tokens.slice(start, start + length + 1), row * (length + 1));
    }
    return hostTensor("int32", [batch, length + 1], data);
  };
  return listed({ batch, length }, windows, at);
}

/** Batches by their number, of so many windows in an epoch. */
export const listed = ({ batch, length }: BatchSize, windows: number, at: TrainBatches["at"]): TrainBatches => ({
  batch,
  length,
  windows,
  epoch: (step) => Math.floor((step * batch) / windows),
  at,
  ofStep: (step, accumulate, { start, end } = { start: 0, end: accumulate }) =>
    Array.from({ length: end - start }, (_, k) => at(step * accumulate + start + k)),
});

/** A batch of held-out windows. */
export interface HeldOutBatch {
  /** int32 [batch, length + 1], or behind sources more; zeros where there is no more text. */
  readonly tokens: HostTensor;
  /** float32 [batch, length]: 1 for a target that counts, 0 for filling. */
  readonly mask: HostTensor;
  /** Targets that count: the sum of the mask. */
  readonly count: number;
}

export interface HeldOutSize extends BatchSize {
  /** Tokens at the beginning of every window but the first that are no targets, since the window before had them. Default 0. */
  readonly overlap?: number;
}

/** Batches of held-out windows, in order. */
export interface HeldOutBatches extends Iterable<HeldOutBatch> {
  readonly length: number;
  at(index: number): HeldOutBatch;
}

/**
 * The held-out tokens in order: consecutive windows that together have every token but the first exactly once as a
 * target. The last batch is filled up with zeros, which the mask leaves out.
 *
 * @throws FinegrainError where there are fewer than 2 tokens, so that there is no target.
 */
export function heldOutBatches(tokens: Tokens, { batch, length, overlap = 0 }: HeldOutSize): HeldOutBatches {
  checkSize({ batch, length });
  if (!Number.isInteger(overlap) || overlap < 0 || overlap >= length)
    throw new FinegrainError(`overlap must be a whole number from 0 to below the length ${length}, not ${overlap}`);
  if (tokens.length < 2) {
    throw new FinegrainError(
      `the held-out text has ${tokens.length} tokens, fewer than the 2 that an evaluation needs`,
    );
  }
  const targets = tokens.length - 1;
  const stride = length - overlap;
  const windows = Math.max(1, Math.ceil((targets - overlap) / stride));
  const at = (index: number): HeldOutBatch => {
    const first = index * batch;
    const data = new Int32Array(batch * (length + 1));
    const mask = new Float32Array(batch * length);
    let count = 0;
    for (let row = 0; row < Math.min(batch, windows - first); row++) {
      const start = (first + row) * stride;
      data.set(tokens.slice(start, start + length + 1), row * (length + 1));
      const [begin, end] = [start === 0 ? 0 : overlap, Math.min(length, targets - start)];
      mask.fill(1, row * length + begin, row * length + end);
      count += end - begin;
    }
    return {
      tokens: hostTensor("int32", [batch, length + 1], data),
      mask: hostTensor("float32", [batch, length], mask),
      count,
    };
  };
  const batches = Math.ceil(windows / batch);
  return {
    length: batches,
    at,
    *[Symbol.iterator]() {
      for (let index = 0; index < batches; index++) yield at(index);
    },
  };
}

function checkSize(size: BatchSize): void {
  for (const name of ["batch", "length"] as const) {
    if (!Number.isInteger(size[name]) || size[name] < 1) {
      throw new FinegrainError(`${name} must be a whole number of at least 1, not ${size[name]}`);
    }
  }
}
