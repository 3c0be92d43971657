import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FinegrainError } from "@finegrain/graph";
import type { TextDocument } from "@finegrain/train";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readDocuments as documentsAt } from "./read-documents.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "finegrain-text-"));
});
afterEach(() => rm(folder, { recursive: true }));

async function write(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(folder, name);
  await mkdir(join(path, ".."), { recursive: true });
  await writeFile(path, content);
  return path;
}
/** All of them, whether they are in memory or not. */
async function readDocuments(...given: Parameters<typeof documentsAt>): Promise<TextDocument[]> {
  const documents: TextDocument[] = [];
  for await (const document of await documentsAt(...given)) documents.push(document);
  return documents;
}
const fails = async (promise: Promise<unknown>, message: string | RegExp) => {
  await expect(promise).rejects.toThrow(FinegrainError);
  await expect(promise).rejects.toThrow(message);
};

test("a single file is read whatever its ending, without its byte order mark", async () => {
  const path = await write("poem.dat", "\uFEFFä€😀\n");
  expect(await readDocuments(path)).toEqual([{ name: path, text: "ä€😀\n" }]);
});

test("a folder is read recursively in the order of its paths, text files only", async () => {
  for (const name of ["b.txt", "a/z.md", "a/b/c.TXT", "a/skip.bin", ".git/config.txt", "c.jsonl", "empty.txt"]) {
    await write(name, name === "empty.txt" ? "" : name === "c.jsonl" ? '{"text":"line"}\n' : name);
  }
  const found = await readDocuments(folder);
  expect(found.map(({ text }) => text)).toEqual(["a/b/c.TXT", "a/z.md", "b.txt", "line"]);
});

test("JSONL takes the named field of every line that is not blank", async () => {
  const path = await write(
    "d.jsonl",
    '{"text":"one","body":"uno"}\n\n{"body":"d\\u00f3s","text":"two"}\r\n{"text":"","body":""}',
  );
  expect((await readDocuments(path)).map(({ text }) => text)).toEqual(["one", "two"]);
  expect(await readDocuments(path, { field: "body" })).toEqual([
    { name: `${path}:1`, text: "uno" },
    { name: `${path}:3`, text: "dós" },
  ]);
});

describe("UTF-8 is strict: the error names the first bad byte", () => {
  const cases: [what: string, bytes: number[], where: string][] = [
    ["Latin-1", [0x61, 0xe4, 0x62], "bad byte 0x62 at offset 2"],
    ["stray continuation", [0x61, 0x80], "bad byte 0x80 at offset 1"],
    ["overlong", [0xc0, 0xaf], "bad byte 0xc0 at offset 0"],
    ["overlong of three bytes", [0xe0, 0x9f, 0xbf], "bad byte 0x9f at offset 1"],
    ["surrogate", [0x20, 0xed, 0xa0, 0x80], "bad byte 0xa0 at offset 2"],
    ["above U+10FFFF", [0xf4, 0x90, 0x80, 0x80], "bad byte 0x90 at offset 1"],
    ["cut short", [0x61, 0xe2, 0x82], "it ends inside a character at offset 3"],
  ];
  test.each(cases)("%s", async (_, bytes, where) => {
    const path = await write("bad.txt", Uint8Array.from(bytes));
    await fails(readDocuments(path), `${path} is not UTF-8: ${where}`);
  });

  test("in JSONL the offset counts from the beginning of the file", async () => {
    const path = await write(
      "bad.jsonl",
      Buffer.concat([Buffer.from('{"text":"é"}\n{"text":"'), Buffer.of(0xff), Buffer.from('"}')]),
    );
    await fails(readDocuments(path), `${path} is not UTF-8: bad byte 0xff at offset 23`);
  });
});

test("what is not there gets one sentence", async () => {
  await fails(readDocuments(join(folder, "no")), `there is no file or folder ${join(folder, "no")}`);
  await write("only.bin", "x");
  await fails(readDocuments(folder), "found no file that ends in .txt");
  await fails(readDocuments(await write("empty.txt", "")), "holds no text");
  const broken = await write("e.jsonl", '{"text":"a"}\n{oops}');
  await fails(readDocuments(broken), `${broken}:2 is not JSON`);
  const other = await write("f.jsonl", '{"content":"a","id":3}');
  await fails(readDocuments(other), `${other}:1 has no string field "text": found content, id`);
});

describe("large files are read in parts", () => {
  const small = { inMemory: 0, atOnce: 16 };

  test("of whole lines, of one document", async () => {
    const text = "\uFEFFone\ntwo\n\n three € four\nfive 😀😀😀😀😀😀😀😀 six\n\uFEFFseven\n";
    const path = await write("large.txt", text);
    const found = await readDocuments(path, {}, small);
    expect(found.map((part) => part.text).join("")).toBe(text.slice(1));
    expect(found.length).toBeGreaterThan(3);
    expect(found.map(({ continued = false }) => continued)).toEqual(found.map((_, i) => i + 1 < found.length));
    expect(found[0]!.text).toBe("one\n");
  });

  test("of JSONL lines, however long", async () => {
    const texts = ["a", "b".repeat(50), "é".repeat(9), "c"];
    const path = await write("large.jsonl", texts.map((text) => `${JSON.stringify({ text })}\r\n`).join("\n"));
    expect((await readDocuments(path, {}, small)).map(({ text }) => text)).toEqual(texts);
  });

  test("and errors name the place in the file", async () => {
    const path = await write("bad.txt", Buffer.concat([Buffer.from("0123456789\n".repeat(9)), Buffer.of(0xff)]));
    await fails(readDocuments(path, {}, small), `${path} is not UTF-8: bad byte 0xff at offset 99`);
    const lines = await write("bad.jsonl", '{"text":"abcdefgh"}\n{"text":"ijklmnop"}\n{oops}');
    await fails(readDocuments(lines, {}, small), `${lines}:3 is not JSON`);
    await fails(readDocuments(await write("empty.txt", ""), {}, small), "holds no text");
  });

  test("as often as they are gone through", async () => {
    const path = await write("twice.txt", "some text\nof two lines and more\n");
    const documents = await documentsAt(path, {}, small);
    for (let time = 0; time < 2; time++) {
      let text = "";
      for await (const part of documents) text += part.text;
      expect(text).toBe("some text\nof two lines and more\n");
    }
  });
});
