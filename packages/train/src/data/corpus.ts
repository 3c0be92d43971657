import { FinegrainError } from "@finegrain/graph";

/** One text of a corpus, and where it came from (a path; for JSONL with the line). */
export interface TextDocument {
  readonly name: string;
  readonly text: string;
}

/** A corpus as tokens, its end kept apart from training. */
export interface Corpus {
  readonly train: Int32Array;
  readonly heldOut: Int32Array;
  /**
   * UTF-8 bytes of the held-out text. Bits per byte of a model =
   * (mean nats per held-out token) * heldOut.length / heldOutBytes / ln 2.
   */
  readonly heldOutBytes: number;
  /** UTF-8 bytes of the text that is trained on. */
  readonly trainBytes: number;
}

export interface CorpusOptions {
  /** Part of the bytes that is held out, from the end. Default 0.1. */
  readonly heldOutFraction?: number;
  /** Put between documents (and counted in the bytes). Default a blank line. */
  readonly separator?: string;
}

/**
 * Encode documents, in order, into one stream of tokens, and hold out the last part of its bytes. The cut lies at the
 * first character boundary that leaves at most `heldOutFraction` of the bytes; the texts on its two sides are encoded
 * apart, so that no token spans it.
 *
 * @param encode the tokenizer: called once for each document, twice for the one that is cut.
 * @throws FinegrainError where the fraction is not from 0 to 1.
 */
export function tokenizeCorpus(
  documents: readonly TextDocument[],
  encode: (text: string) => ArrayLike<number>,
  { heldOutFraction = 0.1, separator = "\n\n" }: CorpusOptions = {},
): Corpus {
  if (!(heldOutFraction >= 0 && heldOutFraction <= 1)) {
    throw new FinegrainError(`the held-out fraction must be from 0 to 1, not ${heldOutFraction}`);
  }
  const texts = documents.map(({ text }, i) => (i + 1 < documents.length ? text + separator : text));
  const lengths = texts.map((text) => utf8Length(text));
  const total = lengths.reduce((sum, length) => sum + length, 0);
  const cut = total - Math.floor(total * heldOutFraction);

  const train: ArrayLike<number>[] = [];
  const heldOut: ArrayLike<number>[] = [];
  let position = 0;
  let trainBytes = 0;
  for (const [i, text] of texts.entries()) {
    const [before, after] = splitAtByte(text, cut - position, lengths[i]!);
    if (before.length > 0) train.push(encode(before));
    if (after.length > 0) heldOut.push(encode(after));
    trainBytes += after.length === 0 ? lengths[i]! : utf8Length(before);
    position += lengths[i]!;
  }
  return { train: joined(train), heldOut: joined(heldOut), heldOutBytes: total - trainBytes, trainBytes };
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

function joined(parts: readonly ArrayLike<number>[]): Int32Array {
  const tokens = new Int32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let position = 0;
  for (const part of parts) {
    tokens.set(part, position);
    position += part.length;
  }
  return tokens;
}
