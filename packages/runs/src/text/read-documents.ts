import { FinegrainError, isJsonObject, parseJson, shownJson } from "@finegrain/graph";
import type { Documents, TextDocument } from "@finegrain/train";
import { readRange } from "../folder/file-range.ts";
import { nodeFiles, nodePath } from "../node.ts";
import { decodeUtf8 } from "./utf8.ts";

export interface ReadTextOptions {
  /** Name of the field that holds the text of a JSONL line. Default "text". */
  readonly field?: string | undefined;
  /** Name of the field that holds what the text of a JSONL line is to follow. Default: there is none. */
  readonly sourceField?: string | undefined;
}

/** Endings of the files that a folder is searched for. A single file is read whatever its ending. */
export const TEXT_ENDINGS: readonly string[] = [".txt", ".text", ".md", ".rst", ".tex", ".org", ".jsonl", ".ndjson"];
const JSONL_ENDINGS = [".jsonl", ".ndjson"];

/** Fields of a JSONL line. */
interface Fields {
  readonly field: string;
  readonly sourceField: string | undefined;
}

/** Sizes in bytes. */
interface Sizes {
  /** Of files that are not kept in memory where they are larger together, but read again whenever their text is. */
  readonly inMemory: number;
  /** Of what is read at a time. */
  readonly atOnce: number;
}

const SIZES: Sizes = { inMemory: 2 ** 26, atOnce: 2 ** 24 };

/**
 * The documents at `path`: a text file; a JSONL file (one document a line); or a folder with such files, searched
 * recursively, in the order of their paths. Hidden files and folders (".git") are passed over, as are empty documents. Those of
 * files that are large together are read when they are gone through, a large text in parts that end with a line.
 *
 * @throws FinegrainError where the path does not exist or holds no text. There, or when they are gone through, where a file is not UTF-8
 *   (names the file and the offset of the first bad byte), or a JSONL line is no JSON object with the field (names the line).
 */
export async function readDocuments(
  path: string,
  { field = "text", sourceField }: ReadTextOptions = {},
  { inMemory, atOnce } = SIZES,
): Promise<Documents> {
  const files = await textFiles(path);
  let bytes = 0;
  for (const file of files) bytes += (await nodeFiles().stat(file)).size;
  const documents = { [Symbol.asyncIterator]: () => walk(path, files, { fields: { field, sourceField }, atOnce }) };
  if (bytes > inMemory) return documents;
  const all: TextDocument[] = [];
  for await (const document of documents) all.push(document);
  return all;
}

async function* walk(
  path: string,
  files: readonly string[],
  { fields, atOnce }: { fields: Fields; atOnce: number },
): AsyncGenerator<TextDocument, void> {
  let isEmpty = true;
  for (const file of files) {
    const isLines = JSONL_ENDINGS.includes(nodePath().extname(file).toLowerCase());
    for await (const document of isLines
      ? lines(file, pieces(file, atOnce), fields)
      : parts(expectNoPairs(file, fields), pieces(file, atOnce))) {
      if (document.text.length === 0) continue;
      isEmpty = false;
      yield document;
    }
  }
  if (isEmpty) throw new FinegrainError(`${path} holds no text: ${files.length} files, all empty`);
}

async function textFiles(path: string): Promise<string[]> {
  const found = await nodeFiles()
    .stat(path)
    .catch((error: NodeJS.ErrnoException) => {
      throw new FinegrainError(
        error.code === "ENOENT" ? `there is no file or folder ${path}` : `cannot read ${path}: ${error.message}`,
      );
    });
  if (!found.isDirectory()) return [path];
  const files = await filesBelow(path);
  if (files.length === 0) {
    throw new FinegrainError(`the folder ${path} has no text: found no file that ends in ${TEXT_ENDINGS.join(", ")}`);
  }
  return files;
}

async function filesBelow(folder: string): Promise<string[]> {
  const names = (await nodeFiles().readdir(folder)).filter((name) => !name.startsWith(".")).sort();
  const files: string[] = [];
  for (const name of names) {
    const path = nodePath().join(folder, name);
    if ((await nodeFiles().stat(path)).isDirectory()) files.push(...(await filesBelow(path)));
    else if (TEXT_ENDINGS.includes(nodePath().extname(name).toLowerCase())) files.push(path);
  }
  return files;
}

/** Bytes of a file. */
interface Piece {
  readonly bytes: Uint8Array;
  readonly offset: number;
  readonly isLast: boolean;
}

/** A file in pieces. */
async function* pieces(file: string, atOnce: number): AsyncGenerator<Piece, void> {
  const failed = (error: Error): never => {
    throw error instanceof FinegrainError ? error : new FinegrainError(`cannot read ${file}: ${error.message}`);
  };
  const handle = await nodeFiles().open(file, "r").catch(failed);
  try {
    const found = await handle.stat();
    if (!found.isFile()) {
      // A pipe has no size, and is read once.
      yield { bytes: await handle.readFile().catch(failed), offset: 0, isLast: true };
      return;
    }
    const { size } = found;
    for (let offset = 0; offset < Math.max(1, size); offset += atOnce) {
      const bytes = await readRange(handle, offset, Math.min(offset + atOnce, size), file).catch(failed);
      yield { bytes, offset, isLast: offset + atOnce >= size };
    }
  } finally {
    await handle.close();
  }
}

/** A text file, in one document or in parts of it. */
async function* parts(file: string, from: AsyncIterable<Piece>): AsyncGenerator<TextDocument, void> {
  let rest = new Uint8Array();
  for await (const { bytes, offset, isLast } of from) {
    const begin = offset - rest.length;
    const whole = joined(rest, bytes);
    const end = isLast ? whole.length : endOfPart(whole);
    rest = whole.slice(end);
    yield { name: file, text: decodeUtf8(whole.subarray(0, end), file, begin), ...(!isLast && { continued: true }) };
  }
}

/** Behind the last line whose next one does not begin with space, or else the last whole character. */
function endOfPart(bytes: Uint8Array): number {
  for (let at = bytes.lastIndexOf(NEWLINE, bytes.length - 2); at > 0; at = bytes.lastIndexOf(NEWLINE, at - 1))
    if (bytes[at + 1]! > 0x20) return at + 1;
  let end = bytes.length - 1;
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end--; // a continuation byte
  return end;
}

const NEWLINE = 0x0a;

function joined(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

/** The documents of a JSONL file, decoded line by line, so that the file may be longer than a string. */
async function* lines(
  file: string,
  from: AsyncIterable<Piece>,
  { field, sourceField }: Fields,
): AsyncGenerator<TextDocument, void> {
  let rest = new Uint8Array();
  let line = 0;
  for await (const { bytes, offset, isLast } of from) {
    const start = offset - rest.length;
    const whole = joined(rest, bytes);
    const until = isLast ? whole.length : whole.lastIndexOf(NEWLINE) + 1;
    for (let begin = 0; begin < until; ) {
      const newline = whole.indexOf(NEWLINE, begin);
      const end = newline === -1 ? whole.length : newline;
      line++;
      const source = decodeUtf8(whole.subarray(begin, end), file, start + begin);
      const name = `${file}:${line}`;
      if (source.trim().length > 0)
        yield {
          name,
          ...(sourceField !== undefined && { source: textField(source, name, sourceField) }),
          text: textField(source, name, field),
        };
      begin = end + 1;
    }
    rest = whole.slice(until);
  }
}

/** @throws FinegrainError where lines of a source and a target are asked for, and the file has none. */
function expectNoPairs(file: string, { sourceField }: Fields): string {
  if (sourceField !== undefined) throw new FinegrainError(`${file} has no pairs: they are lines of a JSONL file`);
  return file;
}

function textField(source: string, name: string, field: string): string {
  const value = parseJson(source, name);
  const text = isJsonObject(value) ? value[field] : undefined;
  if (typeof text === "string") return text;
  const fields = isJsonObject(value) ? Object.keys(value).join(", ") : shownJson(value);
  throw new FinegrainError(`${name} has no string field "${field}": found ${fields}`);
}
