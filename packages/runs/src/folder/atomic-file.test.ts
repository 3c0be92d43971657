import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { writeFileAtomically } from "./atomic-file.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "finegrain-atomic-"));
});
afterEach(() => rm(folder, { recursive: true }));

test("bytes, text and pieces replace what was there, and leave nothing beside it", async () => {
  const path = join(folder, "f");
  await writeFile(path, "old and longer");
  await writeFileAtomically(path, "é");
  expect(await readFile(path, "utf8")).toBe("é");
  await writeFileAtomically(path, Uint8Array.of(1, 2));
  expect([...(await readFile(path))]).toEqual([1, 2]);
  await writeFileAtomically(
    path,
    (async function* () {
      yield Uint8Array.of(3);
      yield new Uint8Array(0);
      yield new Uint8Array(3_000_000).fill(4);
    })(),
  );
  expect((await readFile(path)).length).toBe(3_000_001);
  expect(await readdir(folder)).toEqual(["f"]);
});

test("where a piece fails, the old file stays and nothing is left over", async () => {
  const path = join(folder, "f");
  await writeFile(path, "old");
  const failing = (async function* () {
    yield Uint8Array.of(1);
    throw new Error("device lost");
  })();
  await expect(writeFileAtomically(path, failing)).rejects.toThrow("device lost");
  expect(await readFile(path, "utf8")).toBe("old");
  expect(await readdir(folder)).toEqual(["f"]);
});
