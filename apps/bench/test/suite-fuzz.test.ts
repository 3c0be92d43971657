import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FinegrainError } from "@finegrain/graph";
import * as fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { loadSuite } from "../src/suites/load-suite.ts";

const folder = await mkdtemp(join(tmpdir(), "suites-"));
afterAll(() => rm(folder, { recursive: true }));
const path = join(folder, "suite.json");

const field = fc.constantFrom(
  "description",
  "models",
  "cases",
  "ops",
  "measure",
  "training",
  "decode",
  "dense",
  "variants",
);
const value = fc.oneof(
  fc.jsonValue(),
  fc.dictionary(field, fc.jsonValue()),
  fc.array(fc.dictionary(field, fc.jsonValue())),
);
const suite = fc.oneof(
  fc.dictionary(field, value).map((content) => JSON.stringify(content)),
  fc.json(),
  fc.string(),
);

test("any file is a suite, or refused in one sentence", async () => {
  await fc.assert(
    fc.asyncProperty(suite, async (content) => {
      await writeFile(path, content);
      try {
        await loadSuite(path);
      } catch (error) {
        if (!(error instanceof FinegrainError)) throw error;
      }
    }),
    { numRuns: 1000, interruptAfterTimeLimit: 10_000 },
  );
});

test("a byte order mark before a suite is no part of it", async () => {
  await writeFile(path, "\uFEFF{}");
  await expect(loadSuite(path)).rejects.not.toThrow("is not JSON");
});
