import { describe, expect, test } from "vitest";
import { huggingFaceTokenizer } from "../../src/index.ts";

const words = Array.from("abcdefgh", (a, k) => Array.from("stuvwxyz", (b) => a + b + "aeiou"[k % 5] + a));
const flat = words.flat();
const text = (length: number): string => {
  const parts: string[] = [];
  for (let k = 0, sum = 0; sum < length; k++) {
    const word = flat[(k * 7919 + (k >> 4) * 31) % flat.length]! + (k % 50 === 49 ? "\n" : "");
    parts.push(word);
    sum += word.length + 1;
  }
  return parts.join(" ").slice(0, length);
};
const letters = [...new Set(flat.join("")), "▁", "\n"];

/** As Llama's files have it: no pre-tokenizer, so that the whole text is one word to the model. */
const llama = {
  normalizer: {
    type: "Sequence",
    normalizers: [
      { type: "Prepend", prepend: "▁" },
      { type: "Replace", pattern: { String: " " }, content: "▁" },
    ],
  },
  model: {
    type: "BPE",
    vocab: Object.fromEntries(
      [...letters, ...new Set(flat.flatMap((w) => [w.slice(0, 2), w, `▁${w}`]))].map((token, id) => [token, id]),
    ),
    merges: [...new Map(flat.map((w) => [w.slice(0, 2), [w[0], w[1]]])).values()],
  },
};
const unigram = {
  pre_tokenizer: { type: "Metaspace", replacement: "▁", prepend_scheme: "always" },
  model: {
    type: "Unigram",
    unk_id: 0,
    vocab: [["<unk>", 0], ...letters.map((c) => [c, -9]), ...flat.map((w) => [w, -5])],
  },
};

describe.each([
  ["byte pairs without a pre-tokenizer", llama],
  ["Unigram with Metaspace", unigram],
  ["Unigram without a pre-tokenizer", { ...unigram, pre_tokenizer: null }],
])("%s", async (_, file) => {
  const tokenizer = await huggingFaceTokenizer(JSON.stringify(file), "long");

  test("a megabyte takes seconds", () => {
    const start = performance.now();
    expect(tokenizer.encode(text(1e6)).length).toBeGreaterThan(130_000);
    expect(performance.now() - start).toBeLessThan(8000);
  });

  test("23 megabytes need no stack, and a heap that does not grow with them", () => {
    const long = text(23e6);
    expect(tokenizer.encode(long).length).toBeGreaterThan(23 * 130_000);
    expect(process.memoryUsage().heapUsed).toBeLessThan(1e9);
  });

  test("the pieces that a text is encoded in change no id", () => {
    const part = text(4000);
    const short = part.split("\n")[0]!;
    expect([...tokenizer.encode(part).subarray(0, 20)]).toEqual([...tokenizer.encode(short).subarray(0, 20)]);
  });
});
