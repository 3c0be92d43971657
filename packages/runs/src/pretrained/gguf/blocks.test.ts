import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { blockFormats, decodeBlocks } from "./blocks.ts";

/** Blocks of every format and the numbers that gguf-py reads from them: scripts/pretrained-cases.py. */
const cases: Record<string, { readonly bytes: string; readonly numbers: readonly number[] }> = JSON.parse(
  await readFile(new URL("../../../test/pretrained/cases/blocks.json", import.meta.url), "utf8"),
);

test.each([...blockFormats.values()].map((format) => [format.name, format] as const))("%s", (name, format) => {
  const { bytes, numbers } = cases[name]!; // of every format
  const found = decodeBlocks(Uint8Array.from(Buffer.from(bytes, "hex")), format);
  expect(found).toHaveLength(numbers.length);
  for (const [k, number] of numbers.entries()) {
    const size = Math.max(...numbers.map(Math.abs));
    expect(Math.abs(found[k]! - number)).toBeLessThanOrEqual(1e-6 * size);
  }
});
