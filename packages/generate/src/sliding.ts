import type { DrawnToken } from "./likely.ts";
import type { SamplingOptions } from "./sampling.ts";
import { startSession } from "./session.ts";
import type { Decoder } from "./stream.ts";

export interface SlidingOptions extends SamplingOptions {
  readonly maxTokens: number;
  /** Tokens of a window, at most the model's `maxLength`. */
  readonly context: number;
  /** As in `WriteOptions`. */
  readonly signal?: AbortSignal;
}

/** Tokens by which a window of `context` tokens slides: half of them, so that each token has at least the other half before it. */
export const slideOf = (context: number): number => Math.max(1, Math.floor(context / 2));

/** Where the window begins from which the token behind `count` tokens is drawn: it depends on nothing else. */
export const windowStart = (count: number, context: number): number =>
  Math.max(0, Math.ceil((count - context) / slideOf(context))) * slideOf(context);

/** Draws of one window have numbers of the seed of their own. */
const SEED_OF_WINDOW = 2 ** 32;

/**
 * Write on from a prompt of any length, in windows: where one is full, what is left of the text behind its first half is read anew, as
 * if a text began there. So no position is used that the model does not have.
 */
export async function* writeSliding(
  decoder: Decoder,
  prompt: Int32Array,
  { context, seed = 0, maxTokens, ...options }: SlidingOptions,
): AsyncGenerator<DrawnToken, void, undefined> {
  const text = [...prompt];
  for (let left = maxTokens; left > 0; ) {
    const start = windowStart(text.length, context);
    const window = Int32Array.from(text.slice(start));
    using session = startSession(decoder);
    const own = {
      ...options,
      seed: seed + (start / slideOf(context)) * SEED_OF_WINDOW,
      written: Math.min(window.length, text.length - prompt.length),
      maxTokens: Math.min(left, context + 1 - window.length),
    };
    for await (const drawn of session.write(window, own)) {
      text.push(drawn.token);
      left--;
      yield drawn;
    }
    if (options.signal?.aborted) return;
  }
}
