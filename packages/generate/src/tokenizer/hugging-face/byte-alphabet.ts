/*
 * Byte-level BPE (GPT-2) writes every byte as one printable character: printable Latin-1 as itself, the rest as the
 * characters from U+0100 on.
 */

/** Of every byte. */
export const byteCharacters: readonly string[] = (() => {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
    return String.fromCodePoint(printable ? byte : next++);
  });
})();

const BYTES: ReadonlyMap<string, number> = new Map(byteCharacters.map((character, byte) => [character, byte]));

/** The bytes of UTF-8 of a text, each as its character. */
export function toByteAlphabet(text: string): string {
  if (/^[!-~]*$/.test(text)) return text;
  let result = "";
  for (const byte of new TextEncoder().encode(text)) result += byteCharacters[byte];
  return result;
}

/** The bytes of a token, or undefined where one of its characters stands for none. */
export function fromByteAlphabet(token: string): number[] | undefined {
  const bytes: number[] = [];
  for (const character of token) {
    const byte = BYTES.get(character);
    if (byte === undefined) return undefined;
    bytes.push(byte);
  }
  return bytes;
}
