import { appendFile, readFile, realpath, stat } from "node:fs/promises";
import { writeFileAtomically } from "@finegrain/runs";

/**
 * Put results, each as a line of JSON, behind what is in a file, which is created where it is not there. The file is replaced as one, so that a
 * reader, or a power cut, finds it with these results or without them. What is no file of its own (a pipe) is written to.
 *
 * @throws what the file system throws.
 */
export async function appendResults(path: string, results: readonly object[]): Promise<void> {
  const lines = results.map((result) => `${JSON.stringify(result)}\n`).join("");
  const kind = await stat(path).catch(() => undefined);
  if (kind !== undefined && !kind.isFile()) return appendFile(path, lines);
  const before = kind === undefined ? "" : await readFile(path, "utf8");
  const gap = before === "" || before.endsWith("\n") ? "" : "\n";
  // Of a link, the file that it leads to is replaced, and not the link.
  await writeFileAtomically(kind === undefined ? path : await realpath(path), before + gap + lines);
}
