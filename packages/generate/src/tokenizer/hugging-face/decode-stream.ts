import type { TokenStream } from "../tokenizer.ts";

/** An incomplete character has at most this many bytes, each of which a decoder may show as one U+FFFD. */
const INCOMPLETE_BYTES = 3;
/** Tokens that are decoded anew for every one that comes, where the text never ends on a whole character. */
const LONGEST_WINDOW = 64;

/**
 * Streaming over a decoder that only knows whole sequences. A window of the last tokens is decoded each time: the tokens
 * of the text emitted before it, which decide about a leading space, then those that are not settled. U+FFFD at the end
 * may be half a character and waits.
 */
export function decodeStream(decode: (ids: readonly number[]) => string): TokenStream {
  let context: number[] = [];
  let fresh: number[] = [];
  let emitted = 0; // characters of the fresh tokens' text that were returned
  const text = () => decode([...context, ...fresh]).slice(decode(context).length);
  const settle = () => {
    context = fresh;
    fresh = [];
    emitted = 0;
  };
  return {
    push(id) {
      fresh.push(id);
      const whole = text();
      let certain = whole.length;
      while (certain > 0 && whole.length - certain < INCOMPLETE_BYTES && whole[certain - 1] === "\uFFFD") certain--;
      const full = fresh.length >= LONGEST_WINDOW;
      const next = whole.slice(emitted, full ? undefined : certain);
      emitted += next.length;
      if (full || certain === whole.length) settle();
      return next;
    },
    flush() {
      const rest = text().slice(emitted);
      context = [];
      fresh = [];
      emitted = 0;
      return rest;
    },
  };
}
