import { FinegrainError, jsonObject, shownJson, type Turns } from "@finegrain/graph";
import type { Fields } from "./fields.ts";
import type { Ids } from "./ids.ts";

/** A vocabulary and how a stretch of text becomes tokens of it. */
export interface Model {
  /** Ids by token. */
  readonly vocabulary: ReadonlyMap<string, number>;
  /** Entries of the vocabulary as it is written, where a token may be twice: added tokens count on from there. */
  readonly size: number;
  /**
   * Add the tokens of a text, in turns where it is long.
   * @throws FinegrainError where a part of the text is no token, and there is no token for what is unknown.
   */
  tokenize(text: string, ids: Ids): void | Turns<void>;
}

/** An id takes 31 bits, as token tensors are int32. */
const isId = (id: unknown): id is number => Number.isInteger(id) && (id as number) >= 0 && (id as number) < 2 ** 31;

/** The field `vocab`: an id for every token. */
export function vocabularyOf({ value, what }: Fields): Map<string, number> {
  const entries = Object.entries(jsonObject(value.vocab, `${what}: its vocab`));
  for (const [token, id] of entries)
    if (!isId(id)) throw new FinegrainError(`${what} has the id ${shownJson(id)} for the token ${shownJson(token)}`);
  return new Map(entries as [string, number][]); // as was just checked
}

export function largestId(vocabulary: ReadonlyMap<string, number>): number {
  let largest = -1;
  for (const id of vocabulary.values()) largest = Math.max(largest, id);
  return largest;
}

/** The error for a text that has no token, where nothing stands for the unknown. */
export function noToken(what: string, text: string): FinegrainError {
  return new FinegrainError(`${what} has no token for ${shownJson(text)}, and none for what is unknown`);
}

/** The tokens of a text's bytes, `<0x00>` to `<0xFF>`, or undefined where one of them is none. */
export function byteTokens(vocabulary: ReadonlyMap<string, number>): (text: string) => number[] | undefined {
  const tokens = Array.from({ length: 256 }, (_, byte) =>
    vocabulary.get(`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`),
  );
  return (text) => {
    const ids = Array.from(new TextEncoder().encode(text), (byte) => tokens[byte]);
    return ids.every((id) => id !== undefined) ? ids : undefined;
  };
}
