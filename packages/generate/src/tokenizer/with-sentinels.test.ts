import { expect, test } from "vitest";
import { byteTokenizer } from "./byte.ts";
import { withSentinels } from "./with-sentinels.ts";

const tokenizer = withSentinels(byteTokenizer());

test("text comes back from its tokens, which leave room for padding and the end", () => {
  const text = "a é € 😀\n";
  expect(Math.min(...tokenizer.encode(text))).toBeGreaterThan(tokenizer.special.end);
  expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
});

test("the vocabulary is a multiple of 64 with 100 sentinels at least", () => {
  const { special, vocabularySize } = tokenizer;
  expect(vocabularySize).toBe(384);
  expect(special).toEqual({ end: 1, sentinel: 258, sentinels: 126 });
});

test("sentinels are shown, padding and the end are not", () => {
  const { sentinel, end } = tokenizer.special;
  const [a, b] = tokenizer.encode("ab");
  expect(tokenizer.decode([sentinel, a!, sentinel + 1, b!, end, 0])).toBe("<extra_id_0>a<extra_id_1>b");
});

test("a token outside of the vocabulary is refused", () => {
  expect(() => tokenizer.decode([384])).toThrow("token 384 is outside the vocabulary of the tokenizer byte: 0 to 383");
});
