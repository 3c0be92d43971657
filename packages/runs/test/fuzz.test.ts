import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FinegrainError, hostTensor } from "@finegrain/graph";
import * as fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { checkRunConfig, readPartialConfig } from "../src/config.ts";
import { openCheckpoint, saveCheckpoint } from "../src/folder/checkpoint.ts";
import { readMetrics } from "../src/folder/metrics.ts";

const folder = await mkdtemp(join(tmpdir(), "fuzz-"));
afterAll(() => rm(folder, { recursive: true }));

const FEW = { numRuns: 500, interruptAfterTimeLimit: 8_000 };
const anything = fc.oneof(fc.json(), fc.string(), fc.uint8Array());

/** A result, or a FinegrainError. */
async function answers(use: () => unknown): Promise<void> {
  try {
    await use();
  } catch (error) {
    if (!(error instanceof FinegrainError)) throw error;
  }
}

test("any metrics and any config are read, or refused in one sentence", async () => {
  const path = join(folder, "any.json");
  await fc.assert(
    fc.asyncProperty(anything, async (content) => {
      await writeFile(path, content);
      await answers(() => readMetrics(path));
      await answers(() => readPartialConfig(path));
    }),
    FEW,
  );
});

test("any value is a config, or refused in one sentence", async () => {
  const section = fc.oneof(
    fc.jsonValue(),
    fc.dictionary(fc.constantFrom("steps", "batch", "schedule", "seed"), fc.jsonValue()),
  );
  const config = fc.dictionary(fc.constantFrom("model", "tokenizer", "data", "training"), section);
  await fc.assert(
    fc.asyncProperty(fc.oneof(config, fc.jsonValue()), (value) => answers(() => checkRunConfig(value, "c"))),
    { numRuns: 10_000, interruptAfterTimeLimit: 10_000 },
  );
});

test("a checkpoint with any file changed is opened, or refused in one sentence", async () => {
  const model = new Map([["w", hostTensor("float32", [2], [1, 2])]]);
  const files = ["model.safetensors", "optimizer.safetensors", "config.json", "state.json"];
  const path = await saveCheckpoint(join(folder, "checkpoints"), {
    step: 1,
    model,
    optimizer: model,
    config: {},
    state: {},
  });
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...files), anything, async (name, content) => {
      await writeFile(join(path, name), content);
      await answers(async () => (await openCheckpoint(path)).readModel());
    }),
    FEW,
  );
});

test("a byte order mark before any JSON is no part of it", async () => {
  const path = join(folder, "marked.json");
  await writeFile(path, '\uFEFF{"data":"x"}\n');
  expect(await readPartialConfig(path)).toEqual({ data: "x" });
  expect(await readMetrics(path)).toEqual([{ data: "x" }]);
});
