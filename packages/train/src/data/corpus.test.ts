import { expect, test } from "vitest";
import { type Tokens, tokenizeCorpus } from "./corpus.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);
const textOf = (tokens: Tokens) =>
  new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(tokens.slice(0, tokens.length)));
const documents = (...texts: string[]) => texts.map((text, i) => ({ name: `${i}`, text }));

test("the last tenth of the bytes is held out", async () => {
  const text = "0123456789".repeat(10);
  const corpus = await tokenizeCorpus(documents(text), bytesOf);
  expect(textOf(corpus.train)).toBe(text.slice(0, 90));
  expect(textOf(corpus.heldOut)).toBe(text.slice(90));
  expect(corpus).toMatchObject({ heldOutBytes: 10, trainBytes: 90 });
});

test("documents are joined by a blank line, and the cut may lie in any of them", async () => {
  const joined = "first\n\nsecond\n\nthird";
  for (const heldOutFraction of [0, 0.1, 0.3, 0.5, 0.95]) {
    const corpus = await tokenizeCorpus(documents("first", "second", "third"), bytesOf, { heldOutFraction });
    expect(textOf(corpus.train) + textOf(corpus.heldOut)).toBe(joined);
    expect(corpus.heldOutBytes).toBe(Math.floor(joined.length * heldOutFraction));
  }
});

test("the cut lies between characters, never inside one", async () => {
  const text = "€😀".repeat(50); // 7 bytes a pair
  for (let k = 1; k < 100; k++) {
    const corpus = await tokenizeCorpus(documents(text), bytesOf, { heldOutFraction: k / 100 });
    expect(textOf(corpus.train) + textOf(corpus.heldOut)).toBe(text); // textOf fails on half a character
    expect(corpus.heldOutBytes).toBe(corpus.heldOut.length);
    expect(Math.floor(350 * (k / 100)) - corpus.heldOutBytes).toBeLessThan(4);
  }
});

test("a fraction outside [0, 1] is refused", async () => {
  await expect(tokenizeCorpus(documents("x"), bytesOf, { heldOutFraction: 1.5 })).rejects.toThrow(
    "from 0 to 1, not 1.5",
  );
});

test("a token between documents is no byte of them, and there is none within one that comes in parts", async () => {
  const parts = [
    { name: "a", text: "on", continued: true },
    { name: "a", text: "e" },
    { name: "b", text: "two" },
  ];
  const corpus = await tokenizeCorpus(parts, bytesOf, { heldOutFraction: 0.5, separator: { token: 0 } });
  expect(textOf(corpus.train)).toBe("one\0");
  expect(textOf(corpus.heldOut)).toBe("two");
  expect(corpus).toMatchObject({ trainBytes: 3, heldOutBytes: 3 });
});

test("documents that are others the second time are refused, and an abort is heard", async () => {
  let times = 0;
  const changing = {
    *[Symbol.iterator]() {
      yield { name: "a", text: "x".repeat(++times) };
    },
  };
  await expect(tokenizeCorpus(changing, bytesOf)).rejects.toThrow("had 1 bytes and then 2: it was changed");
  await expect(
    tokenizeCorpus(documents("x"), bytesOf, { signal: AbortSignal.abort(new Error("enough")) }),
  ).rejects.toThrow("enough");
});
