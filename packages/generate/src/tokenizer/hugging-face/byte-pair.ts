import { FinegrainError, shownJson, type Turns } from "@finegrain/graph";
import type { Fields } from "./fields.ts";
import { type Ids, newIds } from "./ids.ts";
import { type Merges, mergePairs } from "./merge-pairs.ts";
import { byteTokens, largestId, type Model, vocabularyOf } from "./model.ts";
import { characterLength } from "./pattern.ts";
import { rememberingWords } from "./word-cache.ts";

/** Texts of this many code units or fewer are tokenized in one piece. */
const ONE_PIECE = 16;

/** Byte-pair encoding (Sennrich et al. 2016): characters, of which the pair of the lowest rank is joined again and again. */
export function bytePair(fields: Fields): Model {
  const { what, value } = fields;
  const vocabulary = vocabularyOf(fields);
  if (typeof value.dropout === "number" && value.dropout > 0)
    throw new FinegrainError(`${what} has a dropout of ${value.dropout}, which is not supported: ids would be random`);
  const affixes = {
    prefix: fields.text("continuing_subword_prefix", ""),
    suffix: fields.text("end_of_word_suffix", ""),
  };
  const pairs = mergedTokens(fields);
  const merges = rankPairs(pairs, vocabulary, affixes.prefix.length, what);
  const symbols = symbolsOf(fields, vocabulary, affixes);
  const wholeWords = fields.flag("ignore_merges", false);
  const tokenizePiece = rememberingWords((word, ids) => ids.append(mergePairs(symbols(word), merges)));
  const pieceEnd = affixes.prefix === "" && affixes.suffix === "" ? endOfPiece(pairs, vocabulary) : undefined;
  return {
    vocabulary,
    size: vocabulary.size,
    tokenize(text, ids) {
      const whole = wholeWords ? vocabulary.get(text) : undefined;
      if (whole !== undefined) return ids.push(whole);
      if (pieceEnd === undefined || text.length <= ONE_PIECE) return tokenizePiece(text, ids);
      return inPieces(text, pieceEnd, (piece) => tokenizePiece(piece, ids));
    },
  };
}

function* inPieces(
  text: string,
  pieceEnd: (text: string, start: number) => number,
  tokenize: (piece: string) => void,
): Turns<void> {
  for (let start = 0; start < text.length; ) {
    const end = pieceEnd(text, start);
    tokenize(text.slice(start, end));
    start = end;
    yield;
  }
}

/** The two tokens of every merge. Old files write them as one text. */
function mergedTokens({ list, what }: Fields): [left: string, right: string][] {
  return list("merges")
    .filter((merge) => !(typeof merge === "string" && merge.startsWith("#version")))
    .map((merge) => {
      const parts: unknown = typeof merge === "string" ? merge.split(" ") : merge;
      const isPair = Array.isArray(parts) && parts.length === 2 && parts.every((part) => typeof part === "string");
      if (!isPair) throw new FinegrainError(`${what} has the merge ${shownJson(merge)}, which is no pair of tokens`);
      return parts as [string, string]; // as was just checked
    });
}

function rankPairs(
  pairs: readonly (readonly [string, string])[],
  vocabulary: ReadonlyMap<string, number>,
  prefixLength: number,
  what: string,
): Merges {
  const idOf = (token: string): number => {
    const id = vocabulary.get(token);
    if (id === undefined) throw new FinegrainError(`${what} merges to or from ${shownJson(token)}, which is no token`);
    return id;
  };
  const ranks = new Map<number, number>();
  const results = new Int32Array(pairs.length);
  const idLimit = largestId(vocabulary) + 1;
  for (const [rank, [left, right]] of pairs.entries()) {
    ranks.set(idOf(left) * idLimit + idOf(right), rank);
    results[rank] = idOf(left + right.slice(prefixLength));
  }
  return { ranks, results, idLimit };
}

/**
 * The tokens of a word's single characters. What is not in the vocabulary becomes the tokens of its bytes where the
 * tokenizer has those, else the unknown token, and nothing where there is none.
 */
function symbolsOf(
  fields: Fields,
  vocabulary: ReadonlyMap<string, number>,
  { prefix, suffix }: { readonly prefix: string; readonly suffix: string },
): (word: string) => Int32Array {
  const unknownToken = fields.value.unk_token === null ? undefined : fields.text("unk_token", "") || undefined;
  const unknown = unknownToken === undefined ? undefined : vocabulary.get(unknownToken);
  const fuses = fields.flag("fuse_unk", false);
  const bytesOf = fields.flag("byte_fallback", false) ? byteTokens(vocabulary) : () => undefined;
  return (word) => {
    const ids: Ids = newIds();
    let pending = false; // an unknown token that comes before the next known character
    for (let start = 0; start < word.length; ) {
      const end = start + characterLength(word, start);
      const symbol = (start > 0 ? prefix : "") + word.slice(start, end) + (end === word.length ? suffix : "");
      start = end;
      const id = vocabulary.get(symbol);
      const bytes = id === undefined ? bytesOf(symbol) : undefined;
      if (id !== undefined) {
        if (pending) ids.push(unknown!);
        pending = false;
        ids.push(id);
      } else if (bytes !== undefined) {
        bytes.forEach(ids.push);
      } else if (unknownToken !== undefined) {
        if (unknown === undefined)
          throw new FinegrainError(
            `${fields.what} has no token for ${shownJson(symbol)}, and its unknown token ${shownJson(unknownToken)} is not in the vocabulary`,
          );
        if (pending && !fuses) ids.push(unknown);
        pending = true;
      }
    }
    if (pending) ids.push(unknown!);
    return ids.take();
  };
}

/**
 * Where a long text can be cut so that its tokens stay: between two characters that are tokens, and which no merge has
 * as the last of its left and the first of its right token. Nothing can then be joined across.
 */
function endOfPiece(
  pairs: readonly (readonly [string, string])[],
  vocabulary: ReadonlyMap<string, number>,
): (text: string, start: number) => number {
  const lastOf = (token: string) => Array.from(token.slice(-2)).at(-1) ?? "";
  const firstOf = (token: string) => token.slice(0, characterLength(token, 0));
  const joined = new Set(pairs.map(([left, right]) => `${lastOf(left)} ${firstOf(right)}`));
  return (text, start) => {
    let last = text.slice(start, start + characterLength(text, start));
    let end = start + last.length;
    while (end < text.length) {
      const next = text.slice(end, end + characterLength(text, end));
      if (vocabulary.has(last) && vocabulary.has(next) && !joined.has(`${last} ${next}`)) return end;
      last = next;
      end += next.length;
    }
    return end;
  };
}
