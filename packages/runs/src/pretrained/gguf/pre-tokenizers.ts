/** Types of tokens, by llama.cpp's numbers. */
export const TOKEN_TYPES = { normal: 1, control: 3, userDefined: 4, unused: 5 } as const;

/** A regular expression that cuts a text into words, before their bytes are tokens. */
const words = (digits: string): object => ({
  type: "Split",
  pattern: {
    Regex: `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`,
  },
  behavior: "Isolated",
  invert: false,
});
export const bytes = (cutsWords: boolean): object => ({
  type: "ByteLevel",
  add_prefix_space: false,
  trim_offsets: true,
  use_regex: cutsWords,
});
const inTurn = (...pretokenizers: readonly object[]): object => ({ type: "Sequence", pretokenizers });

const gpt2 = { pre_tokenizer: bytes(true) };
const llama3 = { pre_tokenizer: inTurn(words("\\p{N}{1,3}"), bytes(false)), wholeWords: true };
const qwen2 = { normalizer: { type: "NFC" }, pre_tokenizer: inTurn(words("\\p{N}"), bytes(false)) };

/** How text is cut into words before their bytes are merged. */
export interface PreTokenizer {
  readonly normalizer?: object;
  readonly pre_tokenizer: object;
  /** A word that is a token is not merged. */
  readonly wholeWords?: boolean;
}

/** Those that are known, by `tokenizer.ggml.pre`. */
export const preTokenizers: ReadonlyMap<string, PreTokenizer> = new Map<string, PreTokenizer>([
  ["gpt-2", gpt2],
  ["smollm", { pre_tokenizer: inTurn({ type: "Digits", individual_digits: true }, bytes(true)) }],
  ["llama-bpe", llama3],
  ["llama-v3", llama3],
  ["llama3", llama3],
  ["qwen2", qwen2],
  ["deepseek-r1-qwen", qwen2],
]);
