import { FinegrainError } from "@finegrain/graph";
import { describe, expect, test } from "vitest";
import { huggingFaceTokenizer } from "./hugging-face.ts";

/** The printable stand-ins of the 256 bytes in byte-level BPE (GPT-2): printable Latin-1 for itself, the rest above it. */
function byteAlphabet(): string[] {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
    return String.fromCodePoint(printable ? byte : next++);
  });
}

const END = 270;
const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
const byteLevelBpe = JSON.stringify({
  version: "1.0",
  added_tokens: [
    { id: END, content: "<|end|>", single_word: false, lstrip: false, rstrip: false, normalized: false, special: true },
  ],
  normalizer: null,
  pre_tokenizer: byteLevel,
  post_processor: null,
  decoder: byteLevel,
  model: {
    type: "BPE",
    byte_fallback: false,
    vocab: Object.fromEntries(
      [...byteAlphabet(), "he", "ll", "hell", "hello", "Ġhello"].map((token, id) => [token, id]),
    ),
    merges: [
      ["h", "e"],
      ["l", "l"],
      ["he", "ll"],
      ["hell", "o"],
      ["Ġ", "hello"],
    ],
  },
});
const text = "hello hello  é€😀 .\n\nhe said: <|end|> x !";

describe("byte-level BPE", async () => {
  const tokenizer = await huggingFaceTokenizer(byteLevelBpe, "small");

  test("merges, special tokens in the text, and nothing added", () => {
    expect([...tokenizer.encode("hello hello<|end|>h")]).toEqual([259, 260, END, "h".charCodeAt(0)]);
    expect(tokenizer.encode("")).toEqual(new Int32Array(0));
    expect(tokenizer).toMatchObject({ name: "small", vocabularySize: END + 1 }); // ids 261 to 269 are unused
  });

  test("decode gives the text back", () => {
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
    expect(tokenizer.decode([])).toBe("");
  });

  test("a stream emits the same text, in whole characters", () => {
    const stream = tokenizer.stream();
    const pieces = [...tokenizer.encode(text)].map((id) => stream.push(id));
    expect(pieces.join("")).toBe(text);
    expect(pieces).toContain("😀");
    expect(stream.flush()).toBe("");
  });

  test("half a character comes out at the end, and broken ones do not hold up what follows", () => {
    const stream = tokenizer.stream();
    expect(stream.push(0xe2)).toBe("");
    expect(stream.flush()).toBe("\uFFFD");
    const random = Array.from({ length: 500 }, (_, k) => (k * 7919 + (k >> 3) * 104729) % 256);
    const streamed = random.map((id) => stream.push(id)).join("") + stream.flush();
    expect(streamed).toBe(tokenizer.decode(random));
    for (let k = 0; k < 200; k++) stream.push(0x80);
    expect(stream.push(0x61)).toMatch(/a$/);
  });

  test("an id outside the vocabulary is refused", () => {
    expect(() => tokenizer.decode([END + 1])).toThrow(
      "token 271 is outside the vocabulary of the tokenizer small: 0 to 270",
    );
    expect(() => tokenizer.stream().push(-1)).toThrow(FinegrainError);
  });
});

test("a decoder that joins words with spaces streams them", async () => {
  const tokenizer = await huggingFaceTokenizer(
    JSON.stringify({
      added_tokens: [],
      normalizer: null,
      pre_tokenizer: { type: "Metaspace", replacement: "▁", add_prefix_space: true },
      post_processor: null,
      decoder: { type: "Metaspace", replacement: "▁", add_prefix_space: true },
      model: { type: "BPE", vocab: { "▁": 0, a: 1, b: 2, "▁a": 3 }, merges: [["▁", "a"]] },
    }),
    "words",
  );
  const stream = tokenizer.stream();
  const ids = tokenizer.encode("a ab a");
  expect([...ids].map((id) => stream.push(id)).join("")).toBe(tokenizer.decode(ids));
  expect(tokenizer.decode(ids)).toBe("a ab a");
});

test("what is no tokenizer.json gets one sentence", async () => {
  const cases: [json: string, message: RegExp][] = [
    ["{oops", /^t is not a tokenizer\.json: .*JSON/],
    ["3", /^t is not a tokenizer\.json: expected an object, found 3$/],
    ['{"hello":1}', /^t is not a tokenizer\.json: .*"model"/],
  ];
  for (const [json, message] of cases) {
    await expect(huggingFaceTokenizer(json, "t")).rejects.toThrow(FinegrainError);
    await expect(huggingFaceTokenizer(json, "t")).rejects.toThrow(message);
  }
});
