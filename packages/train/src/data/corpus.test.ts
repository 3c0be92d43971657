import { expect, test } from "vitest";
import { tokenizeCorpus } from "./corpus.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);
const textOf = (tokens: Int32Array) => new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(tokens));
const documents = (...texts: string[]) => texts.map((text, i) => ({ name: `${i}`, text }));

test("the last tenth of the bytes is held out", () => {
  const text = "0123456789".repeat(10);
  const corpus = tokenizeCorpus(documents(text), bytesOf);
  expect(textOf(corpus.train)).toBe(text.slice(0, 90));
  expect(textOf(corpus.heldOut)).toBe(text.slice(90));
  expect(corpus).toMatchObject({ heldOutBytes: 10, trainBytes: 90 });
});

test("documents are joined by a blank line, and the cut may lie in any of them", () => {
  const joined = "first\n\nsecond\n\nthird";
  for (const heldOutFraction of [0, 0.1, 0.3, 0.5, 0.95]) {
    const corpus = tokenizeCorpus(documents("first", "second", "third"), bytesOf, { heldOutFraction });
    expect(textOf(corpus.train) + textOf(corpus.heldOut)).toBe(joined);
    expect(corpus.heldOutBytes).toBe(Math.floor(joined.length * heldOutFraction));
  }
});

test("the cut lies between characters, never inside one", () => {
  const text = "€😀".repeat(50); // 7 bytes a pair
  for (let k = 1; k < 100; k++) {
    const corpus = tokenizeCorpus(documents(text), bytesOf, { heldOutFraction: k / 100 });
    expect(textOf(corpus.train) + textOf(corpus.heldOut)).toBe(text); // textOf fails on half a character
    expect(corpus.heldOutBytes).toBe(corpus.heldOut.length);
    expect(Math.floor(350 * (k / 100)) - corpus.heldOutBytes).toBeLessThan(4);
  }
});

test("a fraction outside [0, 1] is refused", () => {
  expect(() => tokenizeCorpus(documents("x"), bytesOf, { heldOutFraction: 1.5 })).toThrow("from 0 to 1, not 1.5");
});
