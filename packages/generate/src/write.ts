import { disposeTree, FinegrainError } from "@finegrain/graph";
import type { DrawnToken } from "./likely.ts";
import { type Drawing, Pen, readDrawn } from "./pen.ts";
import { piecesOf } from "./pieces.ts";
import { checkSampling, type SamplingOptions } from "./sampling.ts";
import type { Stream } from "./stream.ts";

export interface WriteOptions extends SamplingOptions {
  /** Default: as many as the model's context has room for. */
  readonly maxTokens?: number;
  /** So many tokens at the end of those that are given were written before, and are not of the prompt. Default 0. */
  readonly written?: number;
  /** An abort ends the writing at once, whatever is under way. */
  readonly signal?: AbortSignal;
}

/** See `write` of a `Session`. */
export async function* write(
  stream: Stream,
  tokens: Int32Array,
  options: WriteOptions,
): AsyncGenerator<DrawnToken, void, undefined> {
  const { maxLength } = stream.decoder.model.config;
  const { maxTokens = maxLength, signal } = options;
  checkSampling(options);
  stream.expect(tokens);
  const { written = 0 } = options;
  if (!(Number.isInteger(written) && written >= 0 && written <= tokens.length))
    throw new FinegrainError(`of ${tokens.length} tokens so many cannot have been written: ${written}`);
  try {
    yield* writeOn(stream, tokens, await readAhead(stream, tokens, signal), { ...options, maxTokens });
  } catch (error) {
    if (!signal?.aborted) throw error;
  }
}

/**
 * Read what comes before the last tokens, those are left to the steps that write: they are compiled in any case.
 * @returns how many have been read.
 * @throws the signal's reason where that is aborted.
 */
export async function readAhead(stream: Stream, tokens: Int32Array, signal?: AbortSignal): Promise<number> {
  await stream.reserve(tokens.length);
  const pieces = piecesOf(tokens.length - 1, stream.decoder.reading).filter(({ size }) => size > 1);
  const { from, size } = pieces.at(-1) ?? { from: 0, size: 0 };
  (await stream.readInPieces(tokens, pieces, signal))?.[Symbol.dispose]();
  return from + size;
}

/** Write on behind tokens of which the first few have been read, and the others are read one by one. */
async function* writeOn(
  stream: Stream,
  tokens: Int32Array,
  read: number,
  options: WriteOptions & { readonly maxTokens: number },
): AsyncGenerator<DrawnToken, void, undefined> {
  const { maxLength } = stream.decoder.model.config;
  const { maxTokens, signal } = options;
  const left = tokens.subarray(read);
  using pen = new Pen(stream, tokens, stream.position + left.length, options);
  let drawn = await pen.read(left);
  let next: Drawing | undefined;
  try {
    for (let count = 1; ; count++) {
      const { position } = stream;
      next = count < maxTokens && position < maxLength ? await pen.step(drawn.token) : undefined;
      yield await readDrawn(drawn, position, signal);
      if (next === undefined) return;
      disposeTree(drawn);
      drawn = next;
    }
  } finally {
    disposeTree([drawn, next ?? []]);
  }
}
