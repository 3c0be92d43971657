import { byteTokenizer, huggingFaceTokenizer } from "@finegrain/generate";
import { atOnce } from "@finegrain/graph";
import { expect, test } from "vitest";
import { countLoss } from "./loss.ts";

const lossOf = async (model: object, text: string, more: object = {}) => {
  const loss = countLoss(
    await huggingFaceTokenizer(JSON.stringify({ model, decoder: { type: "Fuse" }, ...more }), "t"),
  );
  atOnce(loss.encoding(text));
  return loss.share();
};

test("what a tokenizer drops or does not know is lost", async () => {
  const vocab = { a: 0, b: 1, "<unk>": 2 };
  const dropping = { type: "BPE", vocab, merges: [] };
  expect(await lossOf(dropping, "ab ab")).toBe(0);
  expect(await lossOf(dropping, "abxy")).toBe(0.5);
  expect(await lossOf(dropping, "ab日")).toBe(0.6);
  expect(await lossOf({ ...dropping, unk_token: "<unk>" }, "abxy")).toBe(0.5);
  expect(await lossOf({ type: "WordLevel", vocab }, "x".repeat(9999))).toBe(1);
});

test("what a normalizer changes is not", async () => {
  const model = { type: "BPE", vocab: { e: 0, a: 1, "▁": 2 }, merges: [] };
  const normalizers = [
    { type: "NFD" },
    { type: "StripAccents" },
    { type: "Lowercase" },
    { type: "Prepend", prepend: "▁" },
  ];
  expect(await lossOf(model, "É a e", { normalizer: { type: "Sequence", normalizers } })).toBe(0);
});

test("bytes lose nothing but what the count cuts", () => {
  const loss = countLoss(byteTokenizer());
  atOnce(loss.encoding("日本 é\uFEFF\n".repeat(2000)));
  expect(loss.share()).toBeLessThan(0.001);
});

test("a corpus that says <unk> itself loses nothing by it", async () => {
  const model = { type: "WordLevel", vocab: { "<unk>": 0, a: 1 } };
  expect(await lossOf(model, "a <unk> a", { pre_tokenizer: { type: "WhitespaceSplit" } })).toBe(0);
});
