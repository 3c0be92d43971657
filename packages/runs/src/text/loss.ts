import { encodingOf, type Tokenizer } from "@finegrain/generate";
import type { Turns } from "@finegrain/graph";

/** Tokens that are decoded at a time. A character that this cuts counts as lost: one in thousands. */
const DECODED_AT_ONCE = 4096;

/**
 * Counts what is lost while texts are encoded: the characters that are fewer in the text that comes back from the tokens.
 * Spaces, case, accents and compatible forms do not count, which normalizers change without taking a text away, nor what
 * stands for the unknown.
 */
export function countLoss(tokenizer: Tokenizer): { encoding(text: string): Turns<Int32Array>; share(): number } {
  let bytes = 0;
  let lost = 0;
  return {
    *encoding(text) {
      const ids = yield* encodingOf(tokenizer, text);
      bytes += encoder.encode(text).length;
      const same = yield* sameUntil(tokenizer, ids, text);
      const counts = new Map<string, number>();
      const count = (part: string, sign: number) => {
        for (const character of plain(part.replace(UNKNOWN, "")))
          counts.set(character, (counts.get(character) ?? 0) + sign);
      };
      for (let k = same.text; k < text.length; k += DECODED_AT_ONCE) {
        count(text.slice(k, k + DECODED_AT_ONCE), 1);
        yield;
      }
      for (let k = same.ids; k < ids.length; k += DECODED_AT_ONCE) {
        count(tokenizer.decode(ids.subarray(k, k + DECODED_AT_ONCE)), -1);
        yield;
      }
      for (const [character, times] of counts) lost += Math.max(0, times) * utf8Length(character);
      return ids;
    },
    share: () => (bytes === 0 ? 0 : lost / bytes),
  };
}

const encoder = new TextEncoder();

/** How far the text that comes back is the same, as with most tokenizers all of it is: that is found out fast. */
function* sameUntil(
  tokenizer: Tokenizer,
  ids: Int32Array,
  text: string,
): Turns<{ readonly text: number; readonly ids: number }> {
  const same = { text: 0, ids: 0 };
  while (same.ids < ids.length) {
    let end = Math.min(ids.length, same.ids + DECODED_AT_ONCE);
    let decoded = tokenizer.decode(ids.subarray(same.ids, end));
    // Not within a character.
    for (let k = 0; k < 3 && decoded.endsWith("\uFFFD") && end > same.ids + 1; k++)
      decoded = tokenizer.decode(ids.subarray(same.ids, --end));
    if (!text.startsWith(decoded, same.text)) break;
    same.text += decoded.length;
    same.ids = end;
    yield;
  }
  return same;
}

/** What tokenizers write for what they do not know. */
const UNKNOWN = /<unk>|\[UNK\]|\uFFFD/giu;

const plain = (text: string): string =>
  text
    .normalize("NFKD")
    .toLowerCase()
    .replace(/[\p{M}\p{White_Space}▁]/gu, "");

function utf8Length(character: string): number {
  const code = character.codePointAt(0)!;
  return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
}
