import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { FinegrainError } from "@finegrain/graph";
import { expect, test } from "vitest";
import { huggingFaceTokenizer } from "../../src/index.ts";

/** What draw.py wrote: tokenizer.json files over every component, and what the original library makes of texts. */
interface Case {
  readonly file: object;
  readonly texts: readonly {
    readonly text: string;
    /** null where the original refuses the text. */
    readonly ids: readonly number[] | null;
    /** undefined where the original cannot decode what it encoded. */
    readonly decoded?: string;
  }[];
}

const cases = JSON.parse(
  gunzipSync(readFileSync(new URL("cases.json.gz", import.meta.url))).toString("utf8"),
) as readonly Case[];

const FEWEST_FILES = 300;

test("ids and texts are those of the original library, for drawn files over every component", async () => {
  expect(cases.length).toBeGreaterThanOrEqual(FEWEST_FILES);
  for (const [k, { file, texts }] of cases.entries()) {
    const tokenizer = await huggingFaceTokenizer(JSON.stringify(file), `drawn ${k}`);
    for (const { text, ids, decoded } of texts) {
      const told = `file ${k}, ${JSON.stringify(text)}`;
      if (ids === null) {
        expect(() => tokenizer.encode(text), told).toThrow(FinegrainError);
        continue;
      }
      expect([...tokenizer.encode(text)], told).toEqual(ids);
      if (decoded !== undefined) expect(tokenizer.decode(ids), told).toBe(decoded);
    }
  }
});
