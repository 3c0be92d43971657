import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { referenceBackend } from "@finegrain/graph";
import { afterEach, beforeEach, expect, test } from "vitest";
import { importPretrained, openPretrained, openRun, type Run } from "../../src/index.ts";

const pathOf = (name: string) => fileURLToPath(new URL(`./cases/${name}`, import.meta.url));
const backend = referenceBackend();
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "finegrain-import-"));
});
afterEach(() => rm(folder, { recursive: true }));

async function written(run: Run): Promise<number[]> {
  const ids: number[] = [];
  for await (const { token } of run.generate("the ", { maxTokens: 5, temperature: 0 })) ids.push(token!);
  return ids;
}

test.each(["qwen3", "llama31/model.gguf"])("%s becomes a run folder, which is opened as what it was", async (name) => {
  const out = join(folder, "run");
  const { family, model } = await importPretrained(pathOf(name), { out });
  expect(family).toBe(name.slice(0, 5));
  expect((await readdir(folder)).sort()).toEqual(["run"]);
  expect((await readdir(out)).sort()).toEqual(["checkpoints", "config.json", "tokenizer.json"]);
  expect(JSON.parse(await readFile(join(out, "config.json"), "utf8"))).toMatchObject({ model });

  await using run = await openRun(out, { backend });
  await using direct = await openRun(pathOf(name), { backend });
  expect(run.config).toEqual(direct.config);
  expect(await run.weights()).toEqual(await direct.weights());
  expect(await written(run)).toEqual(await written(direct));
  await expect(run.train()).rejects.toThrow("cannot be trained on");
});

test("an empty folder is taken, one with something in it is refused and stays as it is", async () => {
  const out = join(folder, "run");
  await mkdir(out);
  await importPretrained(pathOf("llama"), { out });
  const before = await readdir(out);
  await expect(importPretrained(pathOf("llama"), { out })).rejects.toThrow("is not empty");
  expect(await readdir(out)).toEqual(before);
});

test("what fails leaves nothing", async () => {
  await writeFile(join(folder, "a-file"), "");
  await expect(importPretrained(pathOf("llama"), { out: join(folder, "a-file", "run") })).rejects.toThrow();
  await expect(importPretrained(join(folder, "none"), { out: join(folder, "run") })).rejects.toThrow("no model at");
  expect(await readdir(folder)).toEqual(["a-file"]);
});

test("a tensor is read when it is asked for", async () => {
  const { tensors } = await openPretrained(pathOf("llama"));
  const { type, read } = tensors.get("blocks.1.feedForward.gate.kernel")!;
  expect(type).toEqual({ dtype: "float32", shape: [32, 48] });
  expect((await read()).shape).toEqual([32, 48]);
});
