import { appendFile, readFile, realpath, stat } from "node:fs/promises";
import { FinegrainError } from "@finegrain/graph";
import { writeFileAtomically } from "@finegrain/train/files";
import { isObject } from "./json-fields.ts";
import type { Result } from "./result.ts";

/** What every line has to say to be found: `Result`'s other fields are the schema's to check. */
const KEYS = ["suite", "case", "phase", "backend", "device", "variant"] as const;

/**
 * The lines of a result file, oldest first.
 * @throws FinegrainError where there is no such file, or a line is no result (names it).
 */
export async function readResults(path: string): Promise<Result[]> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    throw new FinegrainError(`there is no result file ${path}: ${error.message}`);
  });
  return text.split("\n").flatMap((line, i) => (line.trim() === "" ? [] : [parseLine(line, `${path}, line ${i + 1}`)]));
}

function parseLine(line: string, at: string): Result {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    throw new FinegrainError(`${at} is not JSON: ${(error as Error).message}`);
  }
  const missing = isObject(value) ? KEYS.find((key) => typeof value[key] !== "string") : "suite";
  if (missing !== undefined) throw new FinegrainError(`${at} is no benchmark result: it has no "${missing}"`);
  return value as unknown as Result; // as far as it is identified; see result.schema.json for the rest
}

/**
 * Put results behind what is in a file, which is created where it is not there. The file is replaced as one, so that a
 * reader, or a power cut, finds it with these results or without them. What is no file of its own (a pipe) is written to.
 *
 * @throws what the file system throws.
 */
export async function appendResults(path: string, results: readonly Result[]): Promise<void> {
  const lines = results.map((result) => `${JSON.stringify(result)}\n`).join("");
  const kind = await stat(path).catch(() => undefined);
  if (kind !== undefined && !kind.isFile()) return appendFile(path, lines);
  const before = kind === undefined ? "" : await readFile(path, "utf8");
  const gap = before === "" || before.endsWith("\n") ? "" : "\n";
  // Of a link, the file that it leads to is replaced, and not the link.
  await writeFileAtomically(kind === undefined ? path : await realpath(path), before + gap + lines);
}
