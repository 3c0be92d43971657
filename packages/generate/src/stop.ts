import { FinegrainError } from "@finegrain/graph";

/** Ends a streamed text before the first stop sequence in it. */
export interface StopSequences {
  /**
   * Take the next piece of text; returns what can be shown: text that is part of no stop sequence, whatever follows.
   * After `stopped` the text is over, and more of it is ignored.
   */
  push(text: string): { readonly text: string; readonly stopped: boolean };
  /** What was held back, at the end of a text that came to no stop sequence. */
  flush(): string;
}

/**
 * Watch a text for stop sequences. The first that is complete ends the text; where two are complete at the same
 * character, the longer. So the result does not depend on the pieces in which the text comes.
 *
 * @throws FinegrainError where a stop sequence is empty.
 */
export function stopSequences(sequences: readonly string[]): StopSequences {
  if (sequences.includes("")) throw new FinegrainError("a stop sequence must not be empty");
  let held = "";
  let stopped = false;
  return {
    push(text) {
      if (stopped) return { text: "", stopped };
      held += text;
      const stop = firstStop(held, sequences);
      const shown = stop ?? held.length - longestPrefixAtEnd(held, sequences);
      const out = held.slice(0, shown);
      stopped = stop !== undefined;
      held = stopped ? "" : held.slice(shown);
      return { text: out, stopped };
    },
    flush() {
      const rest = held;
      held = "";
      return rest;
    },
  };
}

/** Where the stop sequence begins that ends first in `text`. */
function firstStop(text: string, sequences: readonly string[]): number | undefined {
  let first: { begin: number; end: number } | undefined;
  for (const sequence of sequences) {
    const begin = text.indexOf(sequence);
    if (begin === -1) continue;
    const end = begin + sequence.length;
    if (first === undefined || end < first.end || (end === first.end && begin < first.begin)) first = { begin, end };
  }
  return first?.begin;
}

/** Length of the longest end of `text` with which a stop sequence may begin. */
function longestPrefixAtEnd(text: string, sequences: readonly string[]): number {
  let longest = 0;
  for (const sequence of sequences) {
    for (let n = Math.min(sequence.length - 1, text.length); n > longest; n--) {
      if (text.endsWith(sequence.slice(0, n))) longest = n;
    }
  }
  return longest;
}
