import { FinegrainError, shownJson } from "@finegrain/graph";
import type { SpecialTokens } from "../../config.ts";
import type { GgufHeader, GgufValue } from "./header.ts";
import { bytes, preTokenizers, TOKEN_TYPES } from "./pre-tokenizers.ts";

type Metadata = GgufHeader["metadata"];

/**
 * The tokenizer.json that describes the tokenizer of a GGUF file: byte-pair encoding of bytes ("gpt2"), or of characters with bytes for
 * what is not among them ("llama", from SentencePiece).
 *
 * @throws FinegrainError where the file has none, or one that is not known.
 */
export function tokenizerJson(metadata: Metadata, path: string): string {
  const model = metadata.get("tokenizer.ggml.model");
  const tokens = texts(metadata, "tokenizer.ggml.tokens", path);
  if (model === "gpt2") return JSON.stringify(ofBytes(metadata, tokens, path));
  if (model === "llama") return JSON.stringify(ofCharacters(metadata, tokens, path));
  throw new FinegrainError(`${path}: the tokenizer ${shownJson(model)} is not known: known are gpt2, llama`);
}

/** What begins and ends a text. @throws FinegrainError where an id is none. */
export function specialTokensOf(metadata: Metadata, path: string): SpecialTokens {
  const id = (name: string): number | undefined => {
    const value = metadata.get(`tokenizer.ggml.${name}_token_id`);
    if (value === undefined || (typeof value === "number" && Number.isSafeInteger(value) && value >= 0)) return value;
    throw new FinegrainError(`${path}: tokenizer.ggml.${name}_token_id must be a token, not ${shownJson(value)}`);
  };
  const [begin, ...ends] = [id("bos"), id("eos"), id("eot"), id("eom")];
  const usual = metadata.get("tokenizer.ggml.model") === "llama" || metadata.get("tokenizer.ggml.pre") === "llama-bpe";
  const begins = metadata.get("tokenizer.ggml.add_bos_token") ?? usual;
  const end = [...new Set(ends.filter((token) => token !== undefined))];
  return { ...(begins === true && begin !== undefined && { begin }), ...(end.length > 0 && { end }) };
}

function ofBytes(metadata: Metadata, tokens: readonly string[], path: string): object {
  const pre = metadata.get("tokenizer.ggml.pre") ?? "gpt-2";
  const known = typeof pre === "string" ? preTokenizers.get(pre) : undefined;
  if (known === undefined)
    throw new FinegrainError(
      `${path}: the pre-tokenizer ${shownJson(pre)} is not known: known are ${[...preTokenizers.keys()].join(", ")}`,
    );
  return {
    added_tokens: addedTokens(metadata, tokens, path),
    normalizer: known.normalizer ?? null,
    pre_tokenizer: known.pre_tokenizer,
    decoder: bytes(true),
    model: {
      type: "BPE",
      ignore_merges: known.wholeWords ?? false,
      vocab: idsOf(tokens),
      merges: texts(metadata, "tokenizer.ggml.merges", path),
    },
  };
}

/** As transformers converts SentencePiece's model of byte pairs. */
function ofCharacters(metadata: Metadata, tokens: readonly string[], path: string): object {
  const spaced = metadata.get("tokenizer.ggml.add_space_prefix") !== false;
  const space = { type: "Replace", pattern: { String: " " }, content: "▁" };
  const unspaced = { type: "Replace", pattern: { String: "▁" }, content: " " };
  const unknown = metadata.get("tokenizer.ggml.unknown_token_id") ?? 0;
  return {
    added_tokens: addedTokens(metadata, tokens, path),
    normalizer: { type: "Sequence", normalizers: [...(spaced ? [{ type: "Prepend", prepend: "▁" }] : []), space] },
    pre_tokenizer: null,
    decoder: {
      type: "Sequence",
      decoders: [
        unspaced,
        { type: "ByteFallback" },
        { type: "Fuse" },
        ...(spaced ? [{ type: "Strip", content: " ", start: 1, stop: 0 }] : []),
      ],
    },
    model: {
      type: "BPE",
      unk_token: tokens[Number(unknown)] ?? null,
      fuse_unk: true,
      byte_fallback: true,
      vocab: idsOf(tokens),
      merges: mergesOf(tokens, numbers(metadata, "tokenizer.ggml.scores", tokens.length, path)),
    },
  };
}

/** Every way in which two tokens are a third, the best of those first, as transformers' `generate_merges` has them. */
function mergesOf(tokens: readonly string[], scores: readonly number[]): [left: string, right: string][] {
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const merges = tokens.flatMap((token, id) => {
    const characters = Array.from(token);
    return Array.from({ length: Math.max(0, characters.length - 1) }, (_, k) => {
      const [left, right] = [characters.slice(0, k + 1).join(""), characters.slice(k + 1).join("")];
      return { left, right, score: scores[id]!, first: ids.get(left), second: ids.get(right) };
    });
  });
  return merges
    .filter(({ first, second }) => first !== undefined && second !== undefined)
    .sort((a, b) => b.score - a.score || a.first! - b.first! || a.second! - b.second!) // both are there
    .map(({ left, right }) => [left, right]);
}

const idsOf = (tokens: readonly string[]): object => Object.fromEntries(tokens.map((token, id) => [token, id]));

/** Tokens that stand for themselves in a text, and are made of nothing else. */
function addedTokens(metadata: Metadata, tokens: readonly string[], path: string): object[] {
  const types = metadata.has("tokenizer.ggml.token_type")
    ? numbers(metadata, "tokenizer.ggml.token_type", tokens.length, path)
    : [];
  return tokens.flatMap((content, id) =>
    types[id] === TOKEN_TYPES.control || types[id] === TOKEN_TYPES.userDefined
      ? [
          {
            id,
            content,
            single_word: false,
            lstrip: false,
            rstrip: false,
            normalized: false,
            special: types[id] === TOKEN_TYPES.control,
          },
        ]
      : [],
  );
}

function texts(metadata: Metadata, name: string, path: string): readonly string[] {
  const list = metadata.get(name);
  if (Array.isArray(list) && list.every((text): text is string => typeof text === "string")) return list;
  throw new FinegrainError(`${path}: ${name} must be a list of texts, not ${shownJson(list)}`);
}

function numbers(metadata: Metadata, name: string, length: number, path: string): readonly number[] {
  const list: GgufValue | undefined = metadata.get(name);
  if (Array.isArray(list) && list.length === length && list.every((one): one is number => typeof one === "number"))
    return list;
  throw new FinegrainError(`${path}: ${name} must be a list of ${length} numbers, one for every token`);
}
