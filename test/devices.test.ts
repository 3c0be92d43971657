import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { brotliCompressSync } from "node:zlib";
import { pack } from "tar-fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { checkRequired, DEVICES, missing } from "./devices.ts";
import { unpack } from "./npm-chromium.ts";

test("what is not there is said in one sentence, with the command that adds it", () => {
  expect(missing(DEVICES)).toEqual([]);
  const sentences = missing(["webgpu", "webgpu:software", "chromium", "mpi:mpich", "smollm2"]);
  expect(sentences).toHaveLength(3);
  expect(sentences[1]).toBe("tfjs:native was not tested: npm run build:tfjs-node adds it");
});

test("what is required has to be there, and to be a device", () => {
  checkRequired("", []);
  checkRequired("webgpu,chromium", ["chromium", "webgpu"]);
  expect(() => checkRequired("chromium,tfjs:native", ["chromium"])).toThrow(
    "FINEGRAIN_REQUIRE names tfjs:native, which is not here: npm run build:tfjs-node adds it",
  );
  expect(() => checkRequired("abacus", DEVICES)).toThrow('FINEGRAIN_REQUIRE names "abacus": known are webgpu, ');
});

describe("archives", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "archives-"));
    await mkdir(`${folder}/bin`);
    await mkdir(`${folder}/files/lib`, { recursive: true });
    await writeFile(`${folder}/files/lib/one.so`, "one");
    await writeFile(`${folder}/bin/files.tar.br`, brotliCompressSync(await buffer(pack(`${folder}/files`))));
    await writeFile(`${folder}/bin/browser.br`, brotliCompressSync(Buffer.alloc(1e6, "browser")));
  });
  afterEach(() => rm(folder, { recursive: true }));

  test("are unpacked whole, by however many at once", async () => {
    const target = `${folder}/cache/browser`;
    await Promise.all(Array.from({ length: 4 }, () => unpack(`${folder}/bin`, target)));
    expect(await readFile(`${target}/lib/one.so`, "utf8")).toBe("one");
    expect(await stat(`${target}/browser`)).toMatchObject({ size: 1e6, mode: 0o100755 });
    expect(await readdir(`${folder}/cache`)).toEqual(["browser"]);
  });

  test("that are broken leave nothing", async () => {
    await writeFile(`${folder}/bin/broken.tar.br`, "no archive");
    await expect(unpack(`${folder}/bin`, `${folder}/cache/browser`)).rejects.toThrow();
    expect(await readdir(`${folder}/cache`)).toEqual([]);
  });
});
