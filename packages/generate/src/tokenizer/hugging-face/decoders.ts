import { fromByteAlphabet } from "./byte-alphabet.ts";
import { type Fields, type Makers, makePart } from "./fields.ts";
import { type CompilePattern, type Finder, patternFinder } from "./pattern.ts";
import { prependScheme } from "./pre-tokenizers.ts";

/** Tokens to the parts of a text, which are then joined. */
export type Decoder = (tokens: readonly string[]) => readonly string[];

/** The decoder that a tokenizer.json describes. */
export function makeDecoder(value: unknown, what: string, compile: CompilePattern): Decoder {
  const makers: Makers<Decoder> = {
    BPEDecoder: bytePair,
    ByteFallback: () => byteFallback,
    ByteLevel: () => byteLevel,
    CTC: connectionist,
    Fuse: () => (tokens) => [tokens.join("")],
    Metaspace: metaspace,
    Replace: (fields) => replacing(patternFinder(fields, compile), fields.text("content")),
    Sequence: (fields, make) => {
      const decoders = fields.list("decoders").map(make);
      return (tokens) => decoders.reduce((parts, decode) => decode(parts), tokens);
    },
    Strip: strip,
    WordPiece: wordPiece,
  };
  return makePart(value, what, makers);
}

/** `ignoreBOM` keeps a byte order mark in the text. */
const lossy = (bytes: readonly number[]) =>
  new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(bytes));

function bytePair(fields: Fields): Decoder {
  const suffix = fields.text("suffix", "</w>");
  return (tokens) => tokens.map((token, k) => token.replaceAll(suffix, k === tokens.length - 1 ? "" : " "));
}

/** Tokens `<0x00>` to `<0xFF>` are bytes. Where those in a row are no UTF-8, each becomes U+FFFD. */
function byteFallback(tokens: readonly string[]): string[] {
  const parts: string[] = [];
  let bytes: number[] = [];
  const settle = () => {
    if (bytes.length === 0) return;
    const text = lossy(bytes);
    parts.push(isUtf8(bytes) ? text : "\uFFFD".repeat(bytes.length));
    bytes = [];
  };
  for (const token of tokens) {
    const byte = /^<0x([0-9A-Fa-f]{2})>$/.exec(token);
    if (byte === null) {
      settle();
      parts.push(token);
    } else bytes.push(Number.parseInt(byte[1]!, 16));
  }
  settle();
  return parts;
}

function isUtf8(bytes: readonly number[]): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(bytes));
    return true;
  } catch {
    return false;
  }
}

/** Tokens in the alphabet of bytes; one that is not is taken for the text that it is. */
function byteLevel(tokens: readonly string[]): string[] {
  return [lossy(tokens.flatMap((token) => fromByteAlphabet(token) ?? [...new TextEncoder().encode(token)]))];
}

/** Connectionist temporal classification (Graves et al. 2006): a token that comes again at once is heard once. */
function connectionist(fields: Fields): Decoder {
  const padding = fields.text("pad_token", "<pad>");
  const delimiter = fields.text("word_delimiter_token", "|");
  const tidies = fields.flag("cleanup", true);
  return (tokens) =>
    tokens
      .filter((token, k) => k === 0 || token !== tokens[k - 1])
      .map((token) => token.replaceAll(padding, ""))
      .map((token) => (tidies ? tidied(token).replaceAll(delimiter, " ") : token))
      .filter((token) => token !== "");
}

function metaspace(fields: Fields): Decoder {
  const replacement = fields.character("replacement");
  const first = prependScheme(fields) === "never" ? " " : "";
  return (tokens) => tokens.map((token, k) => token.replaceAll(replacement, k === 0 ? first : " "));
}

const replacing =
  (find: Finder, content: string): Decoder =>
  (tokens) =>
    tokens.map((token) => {
      let result = "";
      for (const { start, end, isMatch } of find(token)) result += isMatch ? content : token.slice(start, end);
      return result;
    });

/** Takes up to `start` of one character from the beginning of every token, and up to `stop` from its end. */
function strip(fields: Fields): Decoder {
  const content = fields.character("content");
  const [most, mostAtEnd] = [fields.count("start"), fields.count("stop")];
  return (tokens) =>
    tokens.map((token) => {
      const characters = Array.from(token);
      let start = 0;
      while (start < most && characters[start] === content) start++;
      let end = characters.length;
      while (end > start && characters.length - end < mostAtEnd && characters[end - 1] === content) end--;
      return characters.slice(start, end).join("");
    });
}

function wordPiece(fields: Fields): Decoder {
  const prefix = fields.text("prefix", "##");
  const tidies = fields.flag("cleanup", true);
  return (tokens) =>
    tokens.map((token, k) => {
      const text = k === 0 ? token : token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`;
      return tidies ? tidied(text) : text;
    });
}

/** What is written in English without the space that lies between the words. */
const TIDIED: readonly (readonly [string, string])[] = [
  [" .", "."],
  [" ?", "?"],
  [" !", "!"],
  [" ,", ","],
  [" ' ", "'"],
  [" n't", "n't"],
  [" 'm", "'m"],
  [" do not", " don't"],
  [" 's", "'s"],
  [" 've", "'ve"],
  [" 're", "'re"],
];

const tidied = (text: string) => TIDIED.reduce((result, [from, to]) => result.replaceAll(from, to), text);
