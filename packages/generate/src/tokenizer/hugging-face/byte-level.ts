import { byteCharacters } from "./byte-alphabet.ts";

/** A tokenizer.json of the tokens that {@link byteTokenizer} has: the bytes of UTF-8, each its own id. */
export function byteLevelJson(): string {
  const vocab = Object.fromEntries(byteCharacters.map((character, byte) => [character, byte]));
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false };
  const model = { type: "BPE", fuse_unk: false, byte_fallback: false, vocab, merges: [] };
  return `${JSON.stringify({ version: "1.0", added_tokens: [], pre_tokenizer: byteLevel, decoder: byteLevel, model }, null, 2)}\n`;
}
