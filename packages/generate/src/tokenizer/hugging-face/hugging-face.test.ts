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

const END = 261;
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
    expect(tokenizer).toMatchObject({ name: "small", vocabularySize: END + 1 });
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
      "token 262 is outside the vocabulary of the tokenizer small: 0 to 261",
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

/** A tokenizer.json with nothing but a model, and a decoder where one is given. */
const modelOnly = (model: object, decoder: object | null = null) =>
  huggingFaceTokenizer(JSON.stringify({ model, decoder }), "t");

describe("what has no token", () => {
  test("becomes the model's own unknown token", async () => {
    const level = await modelOnly({ type: "WordLevel", vocab: { a: 0, "<unk>": 1 } });
    expect([...level.encode("z")]).toEqual([1]);
    const piece = await modelOnly({ type: "WordPiece", vocab: { a: 0, "[UNK]": 2 } });
    expect([...piece.encode("ab")]).toEqual([2]);
    const unigram = await modelOnly({ type: "Unigram", unk_id: 1, vocab: [["a", -1], ["<u>", 0]] }); // biome-ignore format: a line a model
    expect([...unigram.encode("azza")]).toEqual([0, 1, 0]);
    const bpe = await modelOnly({ type: "BPE", unk_token: "<u>", vocab: { a: 0, "<u>": 1 }, merges: [] });
    expect([...bpe.encode("azz")]).toEqual([0, 1, 1]);
  });

  test("is refused with the word where there is none", async () => {
    const models = [
      { type: "WordLevel", vocab: { a: 0 } },
      { type: "WordLevel", unk_token: "?", vocab: { a: 0 } },
      { type: "WordPiece", vocab: { a: 0 } },
      { type: "Unigram", vocab: [["a", -1]] },
      { type: "BPE", unk_token: "?", vocab: { a: 0 }, merges: [] },
    ];
    for (const model of models) {
      const tokenizer = await modelOnly(model);
      expect(() => tokenizer.encode("zoo"), model.type).toThrow(FinegrainError);
      expect(() => tokenizer.encode("zoo"), model.type).toThrow(/has no token for "z/);
    }
  });

  test("an id without a token has no text", async () => {
    const tokenizer = await modelOnly({ type: "WordLevel", vocab: { a: 0, b: 4 } }, { type: "Fuse" });
    expect(tokenizer.decode([0, 2, 4])).toBe("ab");
    const stream = tokenizer.stream();
    expect([0, 2, 4].map((id) => stream.push(id))).toEqual(["a", "", "b"]);
  });
});

test("a byte order mark comes back from byte tokens, whole and as a stream", async () => {
  const vocab = { "<0xEF>": 0, "<0xBB>": 1, "<0xBF>": 2, a: 3 };
  const tokenizer = await modelOnly({ type: "BPE", byte_fallback: true, vocab, merges: [] }, { type: "ByteFallback" });
  const ids = tokenizer.encode("\uFEFFa");
  expect([...ids]).toEqual([0, 1, 2, 3]);
  expect(tokenizer.decode(ids)).toBe("\uFEFFa");
  const stream = tokenizer.stream();
  expect([...ids].map((id) => stream.push(id)).join("")).toBe("\uFEFFa");
});

test("byte-level decoding leaves a token as it is that is not in its alphabet", async () => {
  const tokenizer = await modelOnly({ type: "WordLevel", vocab: { 日: 0, Ġx: 1 } }, { type: "ByteLevel" });
  expect(tokenizer.decode([0, 1])).toBe("日 x");
});

test("parts that are not supported are refused by their names", async () => {
  const model = { type: "WordLevel", vocab: { a: 0 } };
  const cases: [file: object, message: RegExp][] = [
    [{ model: { ...model, type: "Morse" } }, /its model is of the type "Morse".* known are BPE, Unigram/],
    [{ model, normalizer: { type: "Upper" } }, /its normalizer is of the type "Upper".* known are BertNormalizer/],
    [{ model, pre_tokenizer: { type: "Sequence", pretokenizers: [{ type: "No" }] } }, /its pre_tokenizer .*"No"/],
    [{ model, decoder: { type: "toString" } }, /its decoder is of the type "toString"/],
    [{ model, post_processor: { type: "X" } }, /its post_processor is of the type "X"/],
    [{ model: { type: "BPE", dropout: 0.1, vocab: { a: 0 }, merges: [] } }, /dropout of 0\.1/],
    [{ model: { type: "BPE", vocab: { a: 0 }, merges: ["a b"] } }, /merges to or from "b", which is no token/],
    [{ model, decoder: { type: "Replace", pattern: { Regex: "(" }, content: "" } }, /decoder Replace .*pattern/],
  ];
  for (const [file, message] of cases) {
    await expect(huggingFaceTokenizer(JSON.stringify(file), "t")).rejects.toThrow(FinegrainError);
    await expect(huggingFaceTokenizer(JSON.stringify(file), "t")).rejects.toThrow(message);
  }
});

test("a byte order mark before the JSON is no part of it", async () => {
  const json = JSON.stringify({ model: { type: "WordLevel", vocab: { a: 3 } } });
  expect([...(await huggingFaceTokenizer(`\uFEFF${json}`, "t")).encode("a")]).toEqual([3]);
});

test("what is no tokenizer.json gets one sentence", async () => {
  const cases: [json: string, message: RegExp][] = [
    ["{oops", /^the tokenizer t is not JSON: /],
    ["3", /^the tokenizer t must be a JSON object, not 3$/],
    ['{"hello":1}', /^t is not a tokenizer\.json: .*"model"/],
  ];
  for (const [json, message] of cases) {
    await expect(huggingFaceTokenizer(json, "t")).rejects.toThrow(FinegrainError);
    await expect(huggingFaceTokenizer(json, "t")).rejects.toThrow(message);
  }
});
