import { execFile } from "node:child_process";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, inject, test } from "vitest";
import { workspace } from "../imports.ts";

const run = promisify(execFile);
const { folder, tarballs, seconds } = inject("installed");
const attw = join(workspace, "node_modules/@arethetypeswrong/cli/dist/index.js");

async function sizeOf(path: string): Promise<number> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const sizes = await Promise.all(files.map(async (file) => (await stat(join(file.parentPath, file.name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

test("an install takes under two minutes and 60 MB, and brings nothing native", async () => {
  expect(seconds).toBeLessThan(120);
  expect((await sizeOf(join(folder, "node_modules"))) / 1e6).toBeLessThan(60);
  const entries = await readdir(join(folder, "node_modules"), { recursive: true });
  const native = /\.node$|^(onnxruntime-node|webgpu|@tensorflow)(\/|$)/;
  expect(entries.filter((path) => native.test(path))).toEqual([]);
});

test("the command runs", async () => {
  const { stdout } = await run("npx", ["--no-install", "finegrain", "--help"], { cwd: folder });
  expect(stdout).toMatch(/finegrain train/);
});

describe.each(Object.entries(tarballs))("%s", (_, tarball) => {
  test("holds its code, its page and the licence, and neither tests, sources nor maps", async () => {
    const { stdout } = await run("tar", ["-tzf", tarball]);
    const files = stdout.trim().split("\n");
    expect(files).toEqual(expect.arrayContaining(["package/LICENSE", "package/README.md", "package/package.json"]));
    expect(files.filter((file) => /\.map$|\.test\.|\/src\/|\/golden\/.*\.safetensors$/.test(file))).toEqual([]);
  });

  // Packages are ES modules alone: `require` of one is tested in node.test.ts.
  test("has types that every resolution finds", async () => {
    await run(process.execPath, [attw, tarball, "--profile", "esm-only", "--no-emoji", "--no-color"]).catch((error) => {
      throw new Error(error.stdout);
    });
  });
});
