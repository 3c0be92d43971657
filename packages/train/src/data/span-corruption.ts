import { FinegrainError, philox } from "@finegrain/graph";
import { type SourceTokens, seedKey } from "@finegrain/nn";
import type { SourceSize } from "./sources.ts";

/*
 * Raffel et al. 2020, "T5", 3.1.4: a source without some spans of a text, and a target that is those spans.
 */

/** Part of a text that its source is without. */
const DENSITY = 0.15;
/** Tokens of a span, on average. */
const MEAN_SPAN = 3;

/** How much of a text of so many tokens goes into its source and its target. Both have their end. */
export interface Corrupted {
  readonly missing: number;
  readonly spans: number;
  readonly source: number;
  readonly target: number;
}

/** @param length of the text, at least 2 tokens. */
export function corruptedSizes(length: number): Corrupted {
  const missing = Math.min(length - 1, Math.max(1, Math.round(DENSITY * length)));
  const spans = Math.min(length - missing, Math.max(1, Math.round(missing / MEAN_SPAN)));
  return { missing, spans, source: length - missing + spans + 1, target: missing + spans + 1 };
}

/**
 * Tokens of the longest text whose source and target fit.
 * @throws FinegrainError where none does, or a text would have more spans than there are sentinels.
 */
export function corruptedLength({ source, length }: SourceSize, { sentinels }: SourceTokens): number {
  const fits = (tokens: number) => {
    const sizes = corruptedSizes(tokens);
    return sizes.source <= source && sizes.target <= length;
  };
  let tokens = Math.min(2 * source, 8 * length);
  while (tokens >= 2 && !fits(tokens)) tokens--;
  if (tokens < 2)
    throw new FinegrainError(`sources of ${source} tokens and targets of ${length} are too short for spans`);
  const { spans } = corruptedSizes(tokens);
  if (spans > sentinels)
    throw new FinegrainError(
      `a source of ${source} tokens is without ${spans} spans, for which there are only ${sentinels} sentinels: make sources or targets shorter`,
    );
  return tokens;
}

/** Second counter word of the draws of a text's spans. */
const SPAN_DRAW = 0x7370616e;

/**
 * A text's source and target, both with the end: spans of the source are sentinels, behind each of which the target has what was there.
 *
 * @param number of the text: it and the seed decide which spans.
 */
export function corrupted(
  text: Int32Array,
  { end, sentinel }: SourceTokens,
  { seed, number }: { readonly seed: number; readonly number: number },
): { readonly source: Int32Array; readonly target: Int32Array } {
  const { missing, spans, ...sizes } = corruptedSizes(text.length);
  const bits = philox(seedKey(seed), [number, SPAN_DRAW], 2 * text.length);
  const draw = (i: number, below: number) => Math.floor(((bits[i]! >>> 0) / 2 ** 32) * below);
  const kept = partition(text.length - missing, spans, (i, below) => draw(i, below));
  const hidden = partition(missing, spans, (i, below) => draw(text.length + i, below));
  const [source, target] = [new Int32Array(sizes.source), new Int32Array(sizes.target)];
  let [at, ofSource, ofTarget] = [0, 0, 0];
  for (let span = 0; span < spans; span++) {
    const before = text.subarray(at, at + kept[span]!);
    const within = text.subarray(at + before.length, at + before.length + hidden[span]!);
    at += before.length + within.length;
    source.set(before, ofSource);
    source[ofSource + before.length] = sentinel + span;
    ofSource += before.length + 1;
    target[ofTarget] = sentinel + span;
    target.set(within, ofTarget + 1);
    ofTarget += within.length + 1;
  }
  source[ofSource] = end;
  target[ofTarget] = end;
  return { source, target };
}

/** `count` things in `parts` parts of one at least, of all ways with the same probability. */
function partition(count: number, parts: number, draw: (i: number, below: number) => number): number[] {
  const places = Array.from({ length: count - 1 }, (_, i) => i + 1);
  // The first of a shuffle.
  for (let i = 0; i < parts - 1; i++) {
    const other = i + draw(i, places.length - i);
    [places[i], places[other]] = [places[other]!, places[i]!];
  }
  const cuts = [0, ...places.slice(0, parts - 1).sort((a, b) => a - b), count];
  return cuts.slice(1).map((cut, i) => cut - cuts[i]!);
}
