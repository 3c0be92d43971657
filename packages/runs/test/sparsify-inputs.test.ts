import { mkdtemp, readdir, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openBackend } from "@finegrain/backends";
import type { Backend } from "@finegrain/graph";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Run, sparsifyInputs, train } from "../src/index.ts";

const data = "the cat sat on the mat, and the dog lay by the door. ".repeat(80);
let backend: Backend;
let folder: string;
let run: Run;

beforeAll(async () => {
  backend = await openBackend({ name: "wasm" });
  folder = await mkdtemp(join(tmpdir(), "finegrain-"));
  const model = {
    layers: 2,
    dModel: 32,
    dFf: 64,
    heads: 2,
    feedForward: { type: "dense", activation: "swiglu" },
  } as const;
  run = await train({ backend, data, model, training: { steps: 30, batch: 4, length: 32 } });
});
afterAll(async () => {
  await run.close();
  await backend[Symbol.asyncDispose]();
});

const text = { documents: [{ text: data }] };

test("inputs are left out as far as the loss allows, and the run says which", async () => {
  const out = join(folder, "sparse");
  const steps: number[] = [];
  const given = { backend, out, data: text as never, loss: 0.05, onProgress: (done: number) => void steps.push(done) };
  const { run: sparse, share, before, after } = await sparsifyInputs(run, given);
  await using _ = sparse;
  expect(share).toBeLessThan(0.9);
  expect(after.bitsPerByte).toBeLessThan(1.15 * before.bitsPerByte);
  expect(steps).toEqual(Array.from({ length: 8 + 7 }, (_, i) => i + 1));
  const config = JSON.parse(await readFile(join(out, "config.json"), "utf8"));
  expect(config.model.activeInputs).toHaveLength(2);
  expect(sparse.model.config.activeInputs).toEqual(config.model.activeInputs);
  let written = "";
  for await (const piece of sparse.generate("the", { maxTokens: 4, temperature: 0 })) written += piece.text;
  expect(written).not.toBe("");
  await expect(sparsifyInputs(sparse, { ...given, out: join(folder, "again") })).rejects.toThrow(
    "this one has activeInputs",
  );
});

test.each([
  [{ loss: 0 }, "the loss must be above 0"],
  [{ data: { documents: [{ text: "a few words" }] } }, "the text to learn from has"],
])("%j is refused before anything is made", async (own, says) => {
  const given = { backend, out: join(folder, "none"), data: text, loss: 0.05, ...own } as never;
  await expect(sparsifyInputs(run, given)).rejects.toThrow(says);
  expect(await readdir(folder)).not.toContain("none");
});
