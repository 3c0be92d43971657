import { FinegrainError, isJsonObject, parseJson, shownJson } from "@finegrain/graph";
import type { TextDocument } from "@finegrain/train";
import { nodeFiles, nodePath } from "../node.ts";
import { decodeUtf8 } from "./utf8.ts";

export interface ReadTextOptions {
  /** Name of the field that holds the text of a JSONL line. Default "text". */
  readonly field?: string;
}

/** Endings of the files that a folder is searched for. A single file is read whatever its ending. */
export const TEXT_ENDINGS: readonly string[] = [".txt", ".text", ".md", ".rst", ".tex", ".org", ".jsonl", ".ndjson"];
const JSONL_ENDINGS = [".jsonl", ".ndjson"];

/**
 * Read the documents at `path`: a text file; a JSONL file (one document a line); or a folder with such files, searched
 * recursively, in the order of their paths. Hidden files and folders (".git") are passed over, as are empty documents.
 *
 * @throws FinegrainError where the path does not exist, holds no text, a file is not UTF-8 (names the file and the offset
 *   of the first bad byte), is too large, or a JSONL line is no JSON object with the field (names the line).
 */
export async function readDocuments(path: string, { field = "text" }: ReadTextOptions = {}): Promise<TextDocument[]> {
  const files = await textFiles(path);
  const documents: TextDocument[] = [];
  for (const file of files) {
    const bytes = await readBytes(file);
    if (JSONL_ENDINGS.includes(nodePath().extname(file).toLowerCase()))
      documents.push(...parseLines(bytes, file, field));
    else documents.push({ name: file, text: decodeUtf8(bytes, file) });
  }
  const full = documents.filter(({ text }) => text.length > 0);
  if (full.length === 0) throw new FinegrainError(`${path} holds no text: ${files.length} files, all empty`);
  return full;
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

async function readBytes(file: string): Promise<Uint8Array> {
  try {
    return await nodeFiles().readFile(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_FS_FILE_TOO_LARGE") {
      throw new FinegrainError(`${file} is too large to read at once (over 2 GiB): split it`);
    }
    throw new FinegrainError(`cannot read ${file}: ${(error as Error).message}`);
  }
}

/** The documents of a JSONL file, decoded line by line, so that the file may be longer than a string. */
function parseLines(bytes: Uint8Array, file: string, field: string): TextDocument[] {
  const documents: TextDocument[] = [];
  let line = 0;
  for (let begin = 0; begin < bytes.length; ) {
    const newline = bytes.indexOf(0x0a, begin);
    const end = newline === -1 ? bytes.length : newline;
    line++;
    const source = decodeUtf8(bytes.subarray(begin, end), file, begin);
    const name = `${file}:${line}`;
    if (source.trim().length > 0) documents.push({ name, text: textField(source, name, field) });
    begin = end + 1;
  }
  return documents;
}

function textField(source: string, name: string, field: string): string {
  const value = parseJson(source, name);
  const text = isJsonObject(value) ? value[field] : undefined;
  if (typeof text === "string") return text;
  const fields = isJsonObject(value) ? Object.keys(value).join(", ") : shownJson(value);
  throw new FinegrainError(`${name} has no string field "${field}": found ${fields}`);
}
