import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { expect, test } from "vitest";
import { sourceFiles, workspace, workspacePackages } from "./imports.ts";

/** The longest file that still fits one thought. */
const MOST_LINES = 400;

const packages = workspacePackages();
const read = (path: string) => readFileSync(join(workspace, path), "utf8");
const files = packages.flatMap(({ folder }) => sourceFiles(folder));

test(`no file has ${MOST_LINES} lines`, () => {
  expect(files.length).toBeGreaterThan(0);
  expect(files.filter((path) => read(path).split("\n").length > MOST_LINES)).toEqual([]);
});

test("every file is named after what it holds", () => {
  const vague = new Set(["utils.ts", "util.ts", "helpers.ts", "helper.ts", "misc.ts", "common.ts"]);
  expect(files.filter((path) => vague.has(basename(path)))).toEqual([]);
});

test("a test beside the sources is of the module that it is named after", () => {
  const beside = files.filter((path) => /^[^/]+\/[^/]+\/src\/.*\.test\.ts$/.test(path));
  expect(beside.length).toBeGreaterThan(0);
  expect(beside.filter((path) => !files.includes(path.replace(/\.test\.ts$/, ".ts")))).toEqual([]);
});

test("nothing is left to do later", () => {
  expect(files.filter((path) => /\b(TODO|FIXME|XXX)\b/.test(read(path)))).toEqual([]);
});

test("every package says what it is", () => {
  for (const { folder, name } of packages) expect(read(`${folder}/README.md`)).toMatch(`# ${name}\n`);
});

test("every package carries the licence and says where it comes from", () => {
  for (const { folder } of packages) {
    expect(read(`${folder}/LICENSE`), folder).toBe(read("LICENSE"));
    expect(JSON.parse(read(`${folder}/package.json`)).repository, folder).toMatchObject({ directory: folder });
  }
});

test("the lock file serves every platform and names no registry", () => {
  interface Locked {
    readonly resolved?: string;
    readonly optionalDependencies?: Record<string, string>;
  }
  const locked = JSON.parse(read("package-lock.json")).packages as Record<string, Locked>;
  expect(Object.keys(locked).filter((path) => locked[path]?.resolved?.startsWith("http"))).toEqual([]);
  const missing = Object.entries(locked).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter(
      (name) => !locked[`node_modules/${name}`] && !locked[`${path}/node_modules/${name}`],
    ),
  );
  expect(missing, "run node scripts/complete-lock.mjs").toEqual([]);
});
