import { FinegrainError } from "@finegrain/graph";
import { expect, test } from "vitest";
import { byteTokenizer } from "./byte.ts";

const text = "\uFEFFa é € 😀\0\n";

test("tokens are the bytes of UTF-8, and decode gives the text back", () => {
  const byte = byteTokenizer();
  expect(byte.vocabularySize).toBe(256);
  expect([...byte.encode("é\n")]).toEqual([0xc3, 0xa9, 0x0a]);
  expect(byte.decode(byte.encode(text))).toBe(text);
  expect(byte.decode([0x61, 0xff])).toBe("a\uFFFD");
  expect(byte.decode([])).toBe("");
});

test("a stream emits whole characters only", () => {
  const stream = byteTokenizer().stream();
  const pieces = [...byteTokenizer().encode("a€😀")].map((id) => stream.push(id));
  expect(pieces).toEqual(["a", "", "", "€", "", "", "", "😀"]);
  expect(stream.flush()).toBe("");
  expect(stream.push(0xe2)).toBe("");
  expect(stream.flush()).toBe("\uFFFD");
  expect(stream.push(0x62)).toBe("b");
});

test("an id that is no byte is refused", () => {
  for (const id of [256, -1, 1.5]) {
    expect(() => byteTokenizer().decode([id])).toThrow(FinegrainError);
    expect(() => byteTokenizer().stream().push(id)).toThrow(
      `token ${id} is outside the vocabulary of the tokenizer byte`,
    );
  }
});
