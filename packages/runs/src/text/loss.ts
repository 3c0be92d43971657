import type { Tokenizer } from "@finegrain/generate";

/** Tokens that are decoded at a time. A character that this cuts counts as lost: one in thousands. */
const DECODED_AT_ONCE = 4096;

/**
 * Counts what is lost while texts are encoded: the characters that are fewer in the text that comes back from the tokens.
 * Spaces, case, accents and compatible forms do not count, which normalizers change without taking a text away, nor what
 * stands for the unknown.
 */
export function countLoss(tokenizer: Tokenizer): { encode(text: string): Int32Array; share(): number } {
  let bytes = 0;
  let lost = 0;
  return {
    encode(text) {
      const ids = tokenizer.encode(text);
      const counts = new Map<string, number>();
      const count = (part: string, sign: number) => {
        for (const character of plain(part.replace(UNKNOWN, "")))
          counts.set(character, (counts.get(character) ?? 0) + sign);
      };
      for (let k = 0; k < text.length; k += DECODED_AT_ONCE) count(text.slice(k, k + DECODED_AT_ONCE), 1);
      bytes += [...counts].reduce((sum, [character, times]) => sum + times * utf8Length(character), 0);
      for (let k = 0; k < ids.length; k += DECODED_AT_ONCE)
        count(tokenizer.decode(ids.subarray(k, k + DECODED_AT_ONCE)), -1);
      for (const [character, times] of counts) lost += Math.max(0, times) * utf8Length(character);
      return ids;
    },
    share: () => (bytes === 0 ? 0 : lost / bytes),
  };
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
