import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readEvidence } from "../src/results/evidence.ts";
import { everySection, measurement } from "./report-lines.ts";

let path: string;
beforeAll(async () => {
  path = join(await mkdtemp(join(tmpdir(), "finegrain-evidence-")), "lines.jsonl");
});
afterAll(() => rm(join(path, ".."), { recursive: true }));

async function read(...lines: readonly (object | string)[]) {
  await writeFile(path, lines.map((line) => `${typeof line === "string" ? line : JSON.stringify(line)}\n`).join(""));
  return readEvidence(path);
}

test("lines are recognised by what they say", async () => {
  const { results, metrics } = await read(...everySection, { step: 0, loss: 5 }, "", {
    step: 0,
    heldOutBitsPerByte: 3,
  });
  expect(results).toEqual(everySection);
  expect(metrics).toEqual([
    { step: 0, loss: 5 },
    { step: 0, heldOutBitsPerByte: 3 },
  ]);
});

test("a peer's line of before the schema is a result", async () => {
  const over = { median: 8, low: 7, high: 9 };
  const old = { peer: "torch 2", case: "one layer", variant: "grouped", tokensPerSecond: 100, overDense: over };
  const { results } = await read({ ...old, parameters: 10, rounds: 15 });
  expect(results).toMatchObject([
    { backend: "pytorch", phase: "layer", versions: { provider: "torch 2" }, overDense: over },
  ]);
});

const { variant: _, ...nameless } = measurement();
test.each([
  ["no JSON", ["{"], /lines\.jsonl:1 is not JSON: /],
  ["a list", [measurement(), "[]"], /lines\.jsonl:2 must be a JSON object, not \[\]$/],
  ["neither", [{ hello: 1 }], /lines\.jsonl:1 is neither a benchmark's result nor a step of a training run$/],
  [
    "a field missing",
    [nameless],
    /lines\.jsonl:1 is not a benchmark's result: variant must be a text, and is missing$/,
  ],
  ["a wrong field", [{ ...measurement(), rounds: "many" }], /rounds must be a number, and is "many"$/],
  ["a wrong machine", [{ ...measurement(), machine: {} }], /machine\.cpu must be a text, and is missing$/],
  ["nothing", [""], /lines\.jsonl is empty: it holds no result$/],
])("%s is refused in one sentence", async (_, lines, says) => {
  await expect(read(...lines)).rejects.toThrow(says);
});

test("a file that is not there", async () => {
  await expect(readEvidence("no.jsonl")).rejects.toThrow("cannot read the results no.jsonl: there is no such file");
});
