import { readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { FinegrainError } from "@finegrain/graph";
import type { CaseFile } from "./case.ts";

/**
 * Case files in a folder and the folders in it, in the order of their paths.
 * @throws FinegrainError where the folder is not there, or has none.
 */
export function caseFiles(folder: string): CaseFile[] {
  let entries: string[];
  try {
    entries = readdirSync(folder, { recursive: true, encoding: "utf8" });
  } catch {
    throw new FinegrainError(`there is no folder ${folder}`);
  }
  const files = entries.filter((path) => path.endsWith(".safetensors")).sort();
  if (files.length === 0) throw new FinegrainError(`${folder} has no .safetensors files`);
  return files.map((file) => {
    const path = join(folder, file);
    return { name: basename(path, ".safetensors"), path, read: () => readFile(path) };
  });
}
