import { FinegrainError, Hold, inTurns, type StopSignal, type Turns } from "@finegrain/graph";
import type { SourceTokens } from "@finegrain/nn";

/** Tokens of a text, in memory or not: an Int32Array is one. */
export interface Tokens {
  readonly length: number;
  /** Those from `start` to before `end`, a copy: fewer where there are no more. */
  slice(start: number, end: number): Int32Array;
}

/** One text of a corpus, and where it came from (a path; for JSONL with the line). */
export interface TextDocument {
  readonly name: string;
  readonly text: string;
  /** What the text is to follow, of a pair. */
  readonly source?: string;
  /** Whether the next document is the rest of this one. Default false. */
  readonly continued?: boolean;
}

/** Texts, in memory or read when they are asked for, each time from the first one on. */
export type Documents = Iterable<TextDocument> | AsyncIterable<TextDocument>;

/** A corpus as tokens, its end kept apart from training. */
export interface Corpus {
  readonly train: Tokens;
  readonly heldOut: Tokens;
  /**
   * UTF-8 bytes of the held-out text. Bits per byte of a model =
   * (mean nats per held-out token) * heldOut.length / heldOutBytes / ln 2.
   */
  readonly heldOutBytes: number;
  /** UTF-8 bytes of the text that is trained on. */
  readonly trainBytes: number;
  /** Tokens that stand for no text, of a tokenizer that has them. */
  readonly special?: SourceTokens;
  /** Whether its tokens are pairs of a source and a target: see `tokenizePairs`. Bytes are those of targets. Default false. */
  readonly isPairs?: boolean;
}

/** Where tokens go. */
export interface TokenSink {
  push(ids: ArrayLike<number>): void;
  /** All that were pushed. */
  end(): Promise<Tokens>;
}

/** How far a text has become tokens. */
export interface TextProgress {
  /** UTF-8 bytes that have, and of all. */
  readonly bytes: number;
  readonly of: number;
  /** Since the first of them. */
  readonly seconds: number;
}

export interface CorpusOptions {
  /** Part of the bytes that is held out, from the end. Default 0.1. */
  readonly heldOutFraction?: number;
  /** Put between documents: a text, which counts as bytes, or a token, which does not. Default a blank line. */
  readonly separator?: string | { readonly token: number };
  /** Makes the places of the two parts. Default: memory. */
  readonly sink?: (part: "train" | "held-out") => TokenSink;
  readonly onProgress?: ((progress: TextProgress) => void) | undefined;
  /** An abort ends it with the signal's reason as its error. */
  readonly signal?: StopSignal | undefined;
}

/**
 * Encode documents, in order, into one stream of tokens, and hold out the last part of its bytes. The cut lies at the
 * first character boundary that leaves at most `heldOutFraction` of the bytes; the texts on its two sides are encoded
 * apart, so that no token spans it.
 *
 * @param documents are gone through twice: their bytes are counted first.
 * @param encode the tokenizer, at once or in turns: called once for each document, twice for the one that is cut.
 * @throws FinegrainError where the fraction is not from 0 to 1, or the documents are others the second time.
 */
export async function tokenizeCorpus(
  documents: Documents,
  encode: (text: string) => ArrayLike<number> | Turns<ArrayLike<number>>,
  { heldOutFraction = 0.1, separator = "\n\n", sink = memorySink, onProgress, signal }: CorpusOptions = {},
): Promise<Corpus> {
  if (!(heldOutFraction >= 0 && heldOutFraction <= 1)) {
    throw new FinegrainError(`the held-out fraction must be from 0 to 1, not ${heldOutFraction}`);
  }
  const hold = new Hold();
  let total = 0;
  for await (const { text } of separated(documents, separator)) {
    total += utf8Length(text);
    signal?.throwIfAborted();
    await hold.rest();
  }
  const cut = total - Math.floor(total * heldOutFraction);
  const [train, heldOut] = [sink("train"), sink("held-out")];
  const started = performance.now();
  let [position, trainBytes] = [0, 0];
  for await (const { text, token } of separated(documents, separator)) {
    const length = utf8Length(text);
    const [before, after] = splitAtByte(text, cut - position, length);
    if (before.length > 0) train.push(await tokensOf(encode(before)));
    if (after.length > 0) heldOut.push(await tokensOf(encode(after)));
    if (token !== undefined) (after.length > 0 ? heldOut : train).push([token]);
    trainBytes += after.length === 0 ? length : utf8Length(before);
    position += length;
    onProgress?.({ bytes: position, of: total, seconds: (performance.now() - started) / 1000 });
    signal?.throwIfAborted();
    await hold.rest();
  }
  if (position !== total)
    throw new FinegrainError(`the text had ${total} bytes and then ${position}: it was changed while it was read`);
  return { train: await train.end(), heldOut: await heldOut.end(), heldOutBytes: total - trainBytes, trainBytes };
}

const tokensOf = async (encoding: ArrayLike<number> | Turns<ArrayLike<number>>): Promise<ArrayLike<number>> =>
  "next" in encoding ? inTurns(encoding) : encoding;

/** Documents with what stands between each and the next. */
async function* separated(
  documents: Documents,
  separator: string | { readonly token: number },
): AsyncGenerator<{ readonly text: string; readonly token?: number }, void, undefined> {
  let last: TextDocument | undefined;
  for await (const document of documents) {
    if (last?.continued) yield { text: last.text };
    else if (last)
      yield typeof separator === "string"
        ? { text: last.text + separator }
        : { text: last.text, token: separator.token };
    last = document;
  }
  if (last) yield { text: last.text };
}

const encoder = new TextEncoder();
/** A byte order mark inside a text is a character like others. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

const utf8Length = (text: string): number => encoder.encode(text).length;

/** `text` (of `length` UTF-8 bytes) before and after its first character boundary at or after byte `at`. */
function splitAtByte(text: string, at: number, length: number): [before: string, after: string] {
  if (at >= length) return [text, ""];
  if (at <= 0) return ["", text];
  const bytes = encoder.encode(text);
  let boundary = at;
  while (boundary < length && (bytes[boundary]! & 0xc0) === 0x80) boundary++; // a continuation byte
  return [decoder.decode(bytes.subarray(0, boundary)), decoder.decode(bytes.subarray(boundary))];
}

function memorySink(): TokenSink {
  const parts: ArrayLike<number>[] = [];
  return {
    push: (ids) => void parts.push(ids),
    async end() {
      const tokens = new Int32Array(parts.reduce((sum, part) => sum + part.length, 0));
      let position = 0;
      for (const part of parts) {
        tokens.set(part, position);
        position += part.length;
      }
      return tokens;
    },
  };
}
