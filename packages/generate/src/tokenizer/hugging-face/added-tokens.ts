import { type Fields, fieldsOf } from "./fields.ts";
import type { Model } from "./model.ts";
import type { Normalizer } from "./normalizers.ts";
import { type Range, WHITE_SPACE, WORD } from "./pattern.ts";
import { type Trie, trieOf } from "./trie.ts";

/** A token beside the model's, which is found in the text before the model sees it. */
interface AddedToken {
  readonly content: string;
  readonly id: number;
  readonly singleWord: boolean;
  readonly stripsLeft: boolean;
  readonly stripsRight: boolean;
  /** Whether it is looked for in the normalized text. */
  readonly normalized: boolean;
  /** What is looked for, and what decoding sees. */
  readonly form: string;
}

/** Cuts a text where added tokens are: their ids, and the stretches between them. */
export type Cut = (text: string) => Iterable<number | Range>;

export interface AddedTokens {
  readonly byId: ReadonlyMap<number, AddedToken>;
  /** At those that are looked for in the text as it is. */
  readonly cut: Cut;
  /** At those that are looked for in the normalized text. */
  readonly cutNormalized: Cut;
}

/** What models call the token behind a text. A tokenizer.json does not say which of its tokens that is. */
const ENDS = ["<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>", "<|eos|>", "[EOS]", "[SEP]"];

/** The first of the usual names that is there. */
export const endOfText = ({ byId }: AddedTokens): number | undefined =>
  ENDS.map((name) => [...byId].find(([, { content }]) => content === name)?.[0]).find((id) => id !== undefined);

/**
 * The added tokens of a tokenizer.json. As in the original, one that the model has too gets the model's id, and the
 * others those that follow: the ids in the file say the same in every file that was written by the original.
 */
export function addedTokens(list: readonly unknown[], what: string, model: Model, normalize: Normalizer): AddedTokens {
  const byId = new Map<number, AddedToken>();
  const byContent = new Map<string, number>();
  let next = model.size;
  for (const item of list) {
    const fields = fieldsOf(item, what);
    const content = fields.text("content");
    if (content === "") continue;
    const id = byContent.get(content) ?? model.vocabulary.get(content) ?? next++;
    byContent.set(content, id);
    byId.set(id, addedToken(fields, content, id, normalize));
  }
  const cutting = (normalized: boolean) =>
    cutAt(
      [...byId.values()].filter((token) => token.normalized === normalized && token.form !== ""),
      byId,
    );
  return { byId, cut: cutting(false), cutNormalized: cutting(true) };
}

function addedToken(fields: Fields, content: string, id: number, normalize: Normalizer): AddedToken {
  const normalized = fields.flag("normalized", true);
  return {
    content,
    id,
    singleWord: fields.flag("single_word", false),
    stripsLeft: fields.flag("lstrip", false),
    stripsRight: fields.flag("rstrip", false),
    normalized,
    form: normalized ? normalize({ text: content, leading: 0 }).text : content,
  };
}

const STARTS_WITH_WORD = new RegExp(`^[${WORD}]`, "u");
const ENDS_WITH_WORD = new RegExp(`[${WORD}]$`, "u");
const SPACE = new RegExp(WHITE_SPACE, "u"); // no character of white space takes two code units

function cutAt(tokens: readonly AddedToken[], byId: ReadonlyMap<number, AddedToken>): Cut {
  if (tokens.length === 0) return (text) => [{ start: 0, end: text.length }];
  const find = leftmostLongest(tokens);
  return function* (text) {
    let covered = 0;
    for (let match = find(text, 0); match !== undefined; match = find(text, match.end)) {
      const { singleWord, stripsLeft, stripsRight } = byId.get(match.id)!;
      let { start, end } = match;
      if (singleWord && (ENDS_WITH_WORD.test(text.slice(Math.max(0, start - 2), start)) || startsWithWord(text, end)))
        continue;
      if (stripsLeft) {
        while (start > covered && SPACE.test(text[start - 1]!)) start--;
        start = Math.max(start, covered);
      }
      if (stripsRight) while (end < text.length && SPACE.test(text[end]!)) end++;
      if (covered < start) yield { start: covered, end: start };
      yield match.id;
      covered = end;
    }
    if (covered !== text.length) yield { start: covered, end: text.length };
  };
}

const startsWithWord = (text: string, at: number) => STARTS_WITH_WORD.test(text.slice(at, at + 2));

interface Match {
  readonly start: number;
  readonly end: number;
  readonly id: number;
}

/** Finds the first token from a place on, and of those that begin there the longest. */
function leftmostLongest(tokens: readonly AddedToken[]): (text: string, from: number) => Match | undefined {
  const trie: Trie = trieOf(tokens.map(({ form, id }) => [form, id] as const));
  const units = [...new Set(tokens.map(({ form }) => form.charCodeAt(0).toString(16).padStart(4, "0")))];
  const candidates = new RegExp(`[${units.map((unit) => `\\u${unit}`).join("")}]`, "g");
  return (text, from) => {
    candidates.lastIndex = from;
    for (let candidate = candidates.exec(text); candidate !== null; candidate = candidates.exec(text)) {
      let end = -1;
      let id = -1;
      trie.prefixes(text, candidate.index, (longer, itsId) => {
        end = longer;
        id = itsId;
      });
      if (end >= 0) return { start: candidate.index, end, id };
    }
    return undefined;
  };
}
