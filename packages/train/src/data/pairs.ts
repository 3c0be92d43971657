import { FinegrainError, inTurns, type Turns } from "@finegrain/graph";
import type { SourceTokens } from "@finegrain/nn";
import type { Corpus, CorpusOptions, Documents, Tokens } from "./corpus.ts";
import type { Example, SourceSize } from "./sources.ts";

const encoder = new TextEncoder();

/**
 * Documents with sources as tokens: source, end, target, end, one pair behind the other. The last pairs are held out, as many as have at
 * most `heldOutFraction` of the bytes of all targets. They are in memory.
 *
 * @throws FinegrainError where a document has no source, or the fraction is not from 0 to 1.
 */
export async function tokenizePairs(
  documents: Documents,
  encode: (text: string) => ArrayLike<number> | Turns<ArrayLike<number>>,
  special: SourceTokens,
  { heldOutFraction = 0.1 }: Pick<CorpusOptions, "heldOutFraction"> = {},
): Promise<Corpus> {
  if (!(heldOutFraction >= 0 && heldOutFraction <= 1))
    throw new FinegrainError(`the held-out fraction must be from 0 to 1, not ${heldOutFraction}`);
  const tokensOf = async (text: string) => {
    const ids = encode(text);
    return Int32Array.from([...Array.from("next" in ids ? await inTurns(ids) : ids), special.end]);
  };
  const pairs: { readonly tokens: Int32Array; readonly bytes: number }[] = [];
  for await (const { name, text, source } of documents) {
    if (source === undefined) throw new FinegrainError(`${name} has no source: pairs are of a source and a target`);
    const [first, second] = [await tokensOf(source), await tokensOf(text)];
    pairs.push({ tokens: Int32Array.from([...first, ...second]), bytes: encoder.encode(text).length });
  }
  const total = pairs.reduce((sum, { bytes }) => sum + bytes, 0);
  let [first, heldOutBytes] = [pairs.length, 0];
  while (first > 0 && heldOutBytes + pairs[first - 1]!.bytes <= heldOutFraction * total)
    heldOutBytes += pairs[--first]!.bytes;
  const all = (part: typeof pairs) => Int32Array.from(part.flatMap(({ tokens }) => [...tokens]));
  return {
    train: all(pairs.slice(0, first)),
    heldOut: all(pairs.slice(first)),
    heldOutBytes,
    trainBytes: total - heldOutBytes,
    special,
    isPairs: true,
  };
}

/**
 * The pairs of a stream that {@link tokenizePairs} made.
 * @throws FinegrainError where a source or target is longer than there is room for: one sentence with its number and length.
 */
export function pairsOf(tokens: Tokens, { end }: SourceTokens, { source, length }: SourceSize): Example[] {
  const all = tokens.slice(0, tokens.length);
  const ends = [...all.keys()].filter((i) => all[i] === end);
  return Array.from({ length: ends.length / 2 }, (_, pair) => {
    const [middle, last] = [ends[2 * pair]! + 1, ends[2 * pair + 1]! + 1];
    const example = {
      source: all.slice(pair === 0 ? 0 : ends[2 * pair - 1]! + 1, middle),
      target: all.slice(middle, last),
    };
    for (const [what, part, most] of [
      ["source", example.source, source],
      ["target", example.target, length],
    ] as const)
      if (part.length > most)
        throw new FinegrainError(
          `the ${what} of pair ${pair + 1} has ${part.length} tokens with its end, more than the ${most} that the model takes`,
        );
    return example;
  });
}
