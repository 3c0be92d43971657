import { mkdtemp, readdir, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { byteTokenizer, huggingFaceTokenizer, type Tokenizer } from "@finegrain/generate";
import type { Tokens } from "@finegrain/train";
import { afterEach, beforeEach, expect, test } from "vitest";
import { corpusOf } from "../held-out.ts";
import { readDocuments } from "./read-documents.ts";
import type { Text } from "./text.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "finegrain-tokens-"));
});
afterEach(() => rm(folder, { recursive: true }));

const small = { inMemory: 0, atOnce: 64 };
const textAt = async (path: string): Promise<Text> => ({ documents: await readDocuments(path, {}, small) });
const all = (tokens: Tokens) => [...tokens.slice(0, tokens.length)];

const words = (size: number): Promise<Tokenizer> => {
  const vocab = Object.fromEntries(Array.from({ length: size }, (_, id) => [`w${id}`, id]));
  const added = { id: size, content: "</s>", special: true };
  const json = {
    model: { type: "WordLevel", vocab, unk_token: "w0" },
    pre_tokenizer: { type: "WhitespaceSplit" },
    added_tokens: [added],
  };
  return huggingFaceTokenizer(JSON.stringify(json), "words");
};

test.each([100, 1000, 70_000])("tokens of %i words are in files as they are in memory", async (size) => {
  const tokenizer = await words(size);
  const path = join(folder, "text.jsonl");
  const document = (k: number) => Array.from({ length: 30 }, (_, i) => `w${(k * 7919 + i * 104_729) % size}`).join(" ");
  await writeFile(path, Array.from({ length: 20 }, (_, k) => JSON.stringify({ text: document(k) })).join("\n"));
  const inMemory = await corpusOf(await textAt(path), tokenizer);
  const inFiles = await corpusOf(await textAt(path), tokenizer, { beside: join(folder, "run") });
  for (const part of ["train", "heldOut"] as const) {
    expect(all(inFiles[part])).toEqual(all(inMemory[part]));
    expect(all(inMemory[part])).toContain(size); // the end of a document
    expect([...inFiles[part].slice(2, 5)]).toEqual(all(inMemory[part]).slice(2, 5));
  }
  expect(inFiles.heldOutBytes).toBe(inMemory.heldOutBytes);
});

test("tokens are made once for a text and a tokenizer, and a file that was cut short is said", async () => {
  const path = join(folder, "text.txt");
  await writeFile(path, "it is so\n".repeat(100));
  let encoded = 0;
  const bytes = byteTokenizer();
  const counting: Tokenizer = {
    ...bytes,
    encode(text) {
      encoded++;
      return bytes.encode(text);
    },
  };
  const beside = join(folder, "run");
  const first = await corpusOf(await textAt(path), counting, { beside });
  expect(encoded).toBeGreaterThan(1);
  encoded = 0;
  const again = await corpusOf(await textAt(path), counting, { beside });
  expect(encoded).toBe(0);
  expect(all(again.train)).toEqual(all(first.train));
  await writeFile(path, "it is other\n".repeat(100));
  await corpusOf(await textAt(path), counting, { beside });
  expect(encoded).toBeGreaterThan(1);
});

test("a file of tokens that was cut short is said", async () => {
  const path = join(folder, "text.txt");
  await writeFile(path, "it is so\n".repeat(100));
  const corpus = await corpusOf(await textAt(path), byteTokenizer(), { beside: join(folder, "run") });
  const [one] = await readdir(join(folder, "run.tokens"));
  await truncate(join(folder, "run.tokens", one!, "train"), 10);
  expect(() => corpus.train.slice(0, 100)).toThrow("is cut short: remove its folder");
});

test("what ends half-way is made again", async () => {
  const path = join(folder, "text.txt");
  await writeFile(path, "it is so\n".repeat(100));
  const beside = join(folder, "run");
  const stopped = new AbortController();
  await expect(
    corpusOf(await textAt(path), byteTokenizer(), {
      beside,
      signal: stopped.signal,
      onProgress: ({ bytes }) => bytes > 400 && stopped.abort(new Error("enough")),
    }),
  ).rejects.toThrow("enough");
  const whole = await corpusOf(await textAt(path), byteTokenizer(), { beside });
  expect(whole.train.length + whole.heldOut.length).toBe(900);
});
