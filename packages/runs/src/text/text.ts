import { FinegrainError } from "@finegrain/graph";
import type { Documents } from "@finegrain/train";
import { nodePath } from "../node.ts";
import { SPEECHES, speeches } from "../speeches.ts";
import { type ReadTextOptions, readDocuments } from "./read-documents.ts";

/** What a run learns from, or is judged by. */
export interface Text {
  readonly documents: Documents;
  /** By which a run's config names it, so that it can be read again: an absolute path, or "speeches". */
  readonly source?: string;
  /** Of the lines of JSONL files there, the field that was read; left out where it is the usual one. */
  readonly field?: string;
  /** Of the lines of JSONL files there, the field with what the text is to follow: they are pairs. Left out where there is none. */
  readonly sourceField?: string;
}

/**
 * The text at `path`: a text file; a JSONL file (one document a line); or a folder with such files, searched
 * recursively. "speeches" are those that come along. What is over 64 MiB is read whenever it is needed, and must stay as it is.
 *
 * @throws FinegrainError where the path does not exist or holds no text. There, or where a large text is read, where a file is not UTF-8 or
 *   a JSONL line is no JSON object with the field.
 */
export async function readText(path: string, options: ReadTextOptions = {}): Promise<Text> {
  if (path === SPEECHES) return { source: SPEECHES, documents: await speeches() };
  const { field, sourceField } = options;
  const documents = await readDocuments(path, options);
  return {
    source: nodePath().resolve(path),
    ...(field !== undefined && { field }),
    ...(sourceField !== undefined && { sourceField }),
    documents,
  };
}

/** A string is one document: the text itself, and not a path. */
export const textOf = (given: Text | string): Text =>
  typeof given === "string" ? { documents: [{ name: "text", text: given }] } : given;

/**
 * The text that a run's config names.
 * @throws FinegrainError where it names none, or that cannot be read.
 */
export function textOfConfig({
  data: source,
  textField: field,
  sourceField,
}: {
  readonly data?: string;
  readonly textField?: string;
  readonly sourceField?: string;
}): Promise<Text> {
  if (source === undefined)
    throw new FinegrainError(
      "this run has no copy of the text that it was trained on, and does not say where it is: say which text (data, --data)",
    );
  return readText(source, { field, sourceField });
}
