import { FinegrainError, isJsonObject, type JsonObject, jsonObject, parseJson, shownJson } from "@finegrain/graph";
import type { SpecialTokens } from "../../config.ts";
import type { GgufEntry } from "./chunks.ts";
import { preTokenizers, TOKEN_TYPES } from "./pre-tokenizers.ts";

/** Names of the tokens that end a text, in the order of a model's own list. */
const ENDS = ["eos", "eot", "eom"] as const;

/**
 * What llama.cpp needs to know of a tokenizer.json: byte-pair encoding of bytes, cut into words in a way that it knows by name.
 *
 * @param vocabulary rows of the embedding: tokens without text fill it up.
 * @throws FinegrainError where it is another tokenizer.
 */
export function metadataOfTokenizer(
  json: string,
  vocabulary: number,
  { begin, end = [] }: SpecialTokens,
  chatTemplate: string | undefined,
): Map<string, GgufEntry> {
  const tokenizer = jsonObject(parseJson(json, "the tokenizer"), "the tokenizer");
  const model = jsonObject(tokenizer.model, "the tokenizer's model");
  const isOfBytes = model.type === "BPE" && isJsonObject(tokenizer.decoder) && tokenizer.decoder.type === "ByteLevel";
  if (!isOfBytes)
    throw new FinegrainError(
      `the tokenizer is ${shownJson(model.type)}, which is not written to GGUF files: byte-pair encoding of bytes is`,
    );
  const merges = model.merges as readonly (string | readonly string[])[]; // as a tokenizer that was opened has them
  const { tokens, types } = tokensOf(tokenizer, model, vocabulary);
  const entries: [string, GgufEntry][] = [
    ["model", ["string", "gpt2"]],
    ["pre", ["string", merges.length === 0 ? "gpt-2" : preTokenizerOf(tokenizer, model)]],
    ["tokens", ["strings", tokens]],
    ["token_type", ["int32s", types]],
    ["merges", ["strings", merges.map((pair) => (typeof pair === "string" ? pair : pair.join(" ")))]],
    ["add_bos_token", ["bool", begin !== undefined]],
  ];
  const ids: [string, GgufEntry][] = [
    ...(begin === undefined ? [] : [["bos", ["uint32", begin]] as [string, GgufEntry]]),
    ...ENDS.slice(0, end.length).map((name, i): [string, GgufEntry] => [name, ["uint32", end[i]!]]),
  ];
  return new Map([
    ...entries.map(([name, entry]): [string, GgufEntry] => [`tokenizer.ggml.${name}`, entry]),
    ...ids.map(([name, entry]): [string, GgufEntry] => [`tokenizer.ggml.${name}_token_id`, entry]),
    ...(chatTemplate === undefined
      ? []
      : [["tokenizer.chat_template", ["string", chatTemplate]] as [string, GgufEntry]]),
  ]);
}

/** Every id's text and type. */
function tokensOf(tokenizer: JsonObject, model: JsonObject, vocabulary: number) {
  const tokens = Array.from({ length: vocabulary }, (_, id) => `[PAD${id}]`);
  const types = tokens.map((): number => TOKEN_TYPES.unused);
  for (const [token, id] of Object.entries(model.vocab as Readonly<Record<string, number>>)) {
    tokens[id] = token;
    types[id] = TOKEN_TYPES.normal;
  }
  const added = (tokenizer.added_tokens ?? []) as readonly { id: number; content: string; special?: boolean }[];
  for (const { id, content, special } of added) {
    tokens[id] = content;
    types[id] = special ? TOKEN_TYPES.control : TOKEN_TYPES.userDefined;
  }
  return { tokens, types };
}

/** @throws FinegrainError where words are cut in a way that llama.cpp has no name for. */
function preTokenizerOf(tokenizer: JsonObject, model: JsonObject): string {
  const cut = (one: { normalizer?: unknown; pre_tokenizer?: unknown; wholeWords?: unknown }) =>
    canonical([one.normalizer ?? null, one.pre_tokenizer ?? null, one.wholeWords ?? false]);
  const own = cut({ ...tokenizer, wholeWords: model.ignore_merges });
  const found = [...preTokenizers].find(([, known]) => cut(known) === own)?.[0];
  if (found === undefined)
    throw new FinegrainError(
      `the tokenizer cuts words in a way that is not written to GGUF files: those of ${[...preTokenizers.keys()].join(", ")} are`,
    );
  return found;
}

/** JSON in which the order of fields, and those that make no difference to ids, do not matter. */
const canonical = (value: unknown): string =>
  JSON.stringify(value, (name, own: unknown) =>
    name === "trim_offsets"
      ? undefined
      : isJsonObject(own)
        ? Object.fromEntries(Object.entries(own).sort(([a], [b]) => (a < b ? -1 : 1)))
        : own,
  );
