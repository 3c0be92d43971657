import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { referenceBackend } from "@finegrain/graph";
import { Ajv2020, type ErrorObject } from "ajv/dist/2020.js";
import { describe, expect, test } from "vitest";
import { runSuite } from "../src/measure/run-suite.ts";
import type { Result } from "../src/results/result.ts";
import { parseSuite } from "../src/suites/parse-suite.ts";

const schema = JSON.parse(readFileSync(new URL("../result.schema.json", import.meta.url), "utf8"));
const validate = new Ajv2020({ allErrors: true, strict: true, allowUnionTypes: true }).compile(schema);
const errors = (line: unknown): readonly ErrorObject[] => (validate(line) ? [] : (validate.errors ?? []));

const RESULTS = fileURLToPath(new URL("../../../benchmarks/results", import.meta.url));
/** Of before the schema: peers measured by a script, in lines of their own that say less. */
const BEFORE_THE_SCHEMA = ["2026-11-24-fab8cbc-pytorch.jsonl"];

describe("recorded results", () => {
  const files = readdirSync(RESULTS, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".jsonl"));
  test("are there", () => expect(files.length).toBeGreaterThan(5));
  test.each(files.filter((file) => !BEFORE_THE_SCHEMA.some((old) => file.endsWith(old))))("%s", (file) => {
    const lines = readFileSync(join(RESULTS, file), "utf8").trimEnd().split("\n");
    for (const [i, line] of lines.entries()) expect(errors(JSON.parse(line)), `line ${i + 1}`).toEqual([]);
  });
});

async function measure(): Promise<Result[]> {
  const model = { vocabulary: 16, dModel: 8, dFf: 16, layers: 1, heads: 2, maxLength: 16 };
  const rounds = { units: 1, rounds: 3, warmup: 0 };
  const dense = { name: "dense", model: {} };
  const wrong = { name: "wrong", model: { feedForward: { type: "sparse", blockSize: 5, rank: 2 } } };
  const suite = {
    name: "every phase",
    title: "as small as it gets",
    cases: [
      { name: "d", phase: "decode", model, variants: [dense, wrong], measure: { ...rounds, prompt: 4 } },
      { name: "t", phase: "train", model, variants: [dense], measure: { ...rounds, batch: 2, length: 8 } },
      {
        name: "o",
        phase: "op",
        op: "softmax",
        variants: [{ name: "8", shape: { rows: 2, width: 8 } }],
        measure: rounds,
      },
      { name: "l", phase: "layer", model, variants: [dense], measure: { ...rounds, batch: 2, length: 8 } },
    ],
  };
  const all: Result[] = [];
  for await (const results of runSuite(parseSuite(suite, "every phase"), { backend: referenceBackend() }))
    all.push(...results);
  return all;
}

describe("results of a run", async () => {
  const results = (await measure()).map((result) => JSON.parse(JSON.stringify(result)) as Record<string, unknown>);

  test("validate, of every phase and of what failed", () => {
    expect(results.map(({ phase, variant }) => `${phase} ${variant}`)).toEqual([
      "decode dense",
      "decode wrong",
      "train dense",
      "op 8",
      "layer dense",
    ]);
    for (const result of results) expect(errors(result), JSON.stringify(result)).toEqual([]);
  });

  test.each<[string, object]>([
    ["a field that nobody knows", { speed: 3 }],
    ["no suite", { suite: undefined }],
    ["a phase that is none", { phase: "sleep" }],
    ["tokens without a range", { tokensPerSecond: 12 }],
    ["a range without its end", { tokensPerSecond: { median: 1, low: 1 } }],
    ["a number that was not one", { millisecondsPerToken: null }],
    ["no rounds", { rounds: 0 }],
    ["numbers beside an error", { error: "out of memory" }],
    ["a machine without a name", { machine: { threads: 2, memoryBytes: 1, os: "linux", peakMemoryBytes: 1 } }],
    ["versions that do not say of what", { versions: { node: "v20" } }],
  ])("do not with %s", (_, fields) => {
    const line = JSON.parse(JSON.stringify({ ...results[0], ...fields }));
    expect(errors(line)).not.toEqual([]);
  });
});
