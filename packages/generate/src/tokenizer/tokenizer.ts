import { FinegrainError, type Turns } from "@finegrain/graph";

/** Text to token ids and back. */
export interface Tokenizer {
  /** As a config shows it: "byte", or what the loader was told. */
  readonly name: string;
  /** One more than the largest id: the rows that an embedding needs. */
  readonly vocabularySize: number;
  /** The tokenizer.json that it was made from, of which a run keeps a copy; absent where there is none. */
  readonly json?: string;
  /** The token that stands behind a text where others follow; absent where the tokenizer has none. */
  readonly endOfText?: number;
  /** The tokens of `text`, int32 [time]. Nothing is added to it, no special tokens either. */
  encode(text: string): Int32Array;
  /** The same, in turns, for a text that is long; absent where it is done at once. */
  encoding?(text: string): Turns<Int32Array>;
  /**
   * The text of tokens. Bytes that are not UTF-8 become U+FFFD.
   *
   * @throws FinegrainError where an id is outside the vocabulary.
   */
  decode(ids: ArrayLike<number>): string;
  /** A decoder for tokens that come one by one. */
  stream(): TokenStream;
}

/** Text as tokens come. What it has emitted never changes: half a character waits for its other half. */
export interface TokenStream {
  /**
   * Take one token; returns the text that is now certain, often "" in the middle of a character.
   *
   * @throws FinegrainError where the id is outside the vocabulary.
   */
  push(id: number): string;
  /** What is left at the end: half a character as U+FFFD, or "". The stream can then take a new text. */
  flush(): string;
}

/** Encode in turns, where the tokenizer can. */
export function* encodingOf(tokenizer: Pick<Tokenizer, "encode" | "encoding">, text: string): Turns<Int32Array> {
  return tokenizer.encoding ? yield* tokenizer.encoding(text) : tokenizer.encode(text);
}

/** @throws FinegrainError where `id` is no whole number from 0 to below `vocabularySize`. */
export function checkToken(id: number, { name, vocabularySize }: Pick<Tokenizer, "name" | "vocabularySize">): void {
  if (!Number.isInteger(id) || id < 0 || id >= vocabularySize) {
    throw new FinegrainError(
      `token ${id} is outside the vocabulary of the tokenizer ${name}: 0 to ${vocabularySize - 1}`,
    );
  }
}
