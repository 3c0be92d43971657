import { readFile } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { FinegrainError } from "@finegrain/graph";
import { type Evidence, parseEvidence } from "./parse-evidence.ts";

export type { Evidence, Metric } from "./parse-evidence.ts";

const WHY: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EISDIR: "it is a folder; of a run folder the file metrics.jsonl is wanted",
};

/**
 * What a file of JSON lines holds.
 * @throws FinegrainError where the file cannot be read, or as `parseEvidence`.
 */
export async function readEvidence(path: string): Promise<Evidence> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    const why = WHY[error.code ?? ""] ?? error.message;
    throw new FinegrainError(`cannot read the results ${path}: ${why}`);
  });
  return parseEvidence(text, path);
}

/** What a run is called: the path of its folder, where the file has the name that every run's metrics have. */
export const runName = (path: string): string => {
  const file = basename(path).replace(/\.jsonl?$/, "");
  return file === "metrics" ? dirname(path) : file;
};
