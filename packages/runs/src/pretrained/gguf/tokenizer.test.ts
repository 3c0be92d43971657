import { readFile } from "node:fs/promises";
import { huggingFaceTokenizer } from "@finegrain/generate";
import { expect, test } from "vitest";
import { tokenizerJson } from "./tokenizer.ts";

/** A tokenizer of SentencePiece as a GGUF file has it, with ids of SentencePiece itself: scripts/pretrained-cases.py. */
const made: {
  readonly tokens: readonly string[];
  readonly scores: readonly number[];
  readonly types: readonly number[];
  readonly texts: readonly { readonly text: string; readonly ids: readonly number[] }[];
} = JSON.parse(await readFile(new URL("../../../test/pretrained/cases/sentencepiece.json", import.meta.url), "utf8"));
const metadata = new Map<string, number | string | readonly (number | string)[]>([
  ["tokenizer.ggml.model", "llama"],
  ["tokenizer.ggml.tokens", made.tokens],
  ["tokenizer.ggml.scores", made.scores],
  ["tokenizer.ggml.token_type", made.types],
]);

test.each(made.texts)("SentencePiece's ids of $text", async ({ text, ids }) => {
  const tokenizer = await huggingFaceTokenizer(tokenizerJson(metadata, "model.gguf"), "model.gguf");
  expect([...tokenizer.encode(text)]).toEqual(ids);
  expect(tokenizer.decode(ids)).toBe(text);
});

test.each<[string, Parameters<typeof tokenizerJson>[0], string]>([
  ["another model", new Map(metadata).set("tokenizer.ggml.model", "bert"), 'the tokenizer "bert" is not known'],
  ["no tokens", new Map([["tokenizer.ggml.model", "llama"]]), "tokenizer.ggml.tokens must be a list of texts"],
  [
    "scores of some tokens",
    new Map(metadata).set("tokenizer.ggml.scores", [1]),
    `tokenizer.ggml.scores must be a list of ${made.tokens.length} numbers, one for every token`,
  ],
  [
    "words that are cut in another way",
    new Map(metadata).set("tokenizer.ggml.model", "gpt2").set("tokenizer.ggml.pre", "tekken"),
    'the pre-tokenizer "tekken" is not known: known are gpt-2, smollm',
  ],
])("refuses %s", (_, wrong, sentence) => {
  expect(() => tokenizerJson(wrong, "model.gguf")).toThrow(sentence);
});
