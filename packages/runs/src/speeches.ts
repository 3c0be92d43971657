import { FinegrainError } from "@finegrain/graph";
import type { TextDocument } from "@finegrain/train";
import { nodeFiles } from "./node.ts";

/** What a run's config calls the corpus that comes with this package. */
export const SPEECHES = "speeches";

/** One JSON object a line; `scripts/make-speeches.mjs` made it. A bundler for pages takes it along by this expression. */
const FILE = new URL("../data/speeches.jsonl.gz", import.meta.url);

/**
 * The State of the Union addresses of 1790 to 2021, oldest first: 10.6 MB of text in the public domain.
 * @throws FinegrainError where a page's server does not have the file.
 */
export async function speeches(): Promise<TextDocument[]> {
  const packed = FILE.protocol === "file:" ? new Blob([await nodeFiles().readFile(FILE)]) : await download(FILE);
  const text = await new Response(packed.stream().pipeThrough(new DecompressionStream("gzip"))).text();
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as TextDocument); // as the script wrote it
}

async function download(url: URL): Promise<Blob> {
  const response = await fetch(url);
  if (!response.ok) throw new FinegrainError(`the speeches are not at ${url}: the server says ${response.status}`);
  return response.blob();
}
