import { readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { join, posix } from "node:path";
import { describe, expect, test } from "vitest";
import { type Import, importsOf, type Package, sourceFiles, workspace, workspacePackages } from "./imports.ts";

/** The arrows of the design: the packages of the workspace that each folder may import. */
const ARROWS: Record<string, readonly (string | RegExp)[]> = {
  "packages/graph": [],
  "packages/nn": ["graph"],
  "packages/distributed": ["graph"],
  "packages/train": ["graph", "nn", "distributed"],
  "packages/generate": ["graph", "nn"],
  "packages/runs": ["graph", "nn", "distributed", "train", "generate"],
  "packages/backends": ["graph", /^backend-(?!testkit$)/],
  "packages/codegen": ["graph"],
  "packages/backend-testkit": ["graph", "nn", "train", "generate"],
};
/** Backends know the graph and nothing of models; the conformance suite is for their tests alone. */
const BACKEND = ["graph", "codegen"];
/** Apps name backends, and may import anything but another package's tests. */
const APP = ["graph", "nn", "distributed", "train", "generate", "runs", "backends", "bench", /^backend-(?!testkit$)/];

/** All but the command, native backends and the benchmark runs in a browser too. */
const WITHOUT_NODE = ["graph", "nn", "codegen", "train", "generate", "runs", "backends"].map(
  (name) => `packages/${name}`,
);

function arrowsOf(folder: string): readonly (string | RegExp)[] {
  if (folder.startsWith("apps/") || folder === "packages/finegrain") return APP;
  if (ARROWS[folder]) return ARROWS[folder];
  if (folder.startsWith("packages/backend-")) return BACKEND;
  throw new Error(`${folder} has no arrows in test/boundaries.test.ts: say what it may import`);
}

/** Where in the layout a file is: code that ships may import less than tests. */
const isTest = (path: string) => path.endsWith(".test.ts") || /^[^/]+\/[^/]+\/test\//.test(path);

/** The package's name in a specifier: `@scope/name` or `name`, without the path inside it. */
const packageIn = (specifier: string) => specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");

/** Says in one sentence what is wrong with an import, or nothing where it may stay. */
function complaint(from: Package, path: string, { specifier, onDemand, typeOnly }: Import): string | undefined {
  const { folder, name: self, dependencies } = from;
  if (specifier.startsWith(".")) {
    const target = posix.join(posix.dirname(path), specifier);
    if (!target.startsWith(`${folder}/`)) return `${path} leaves its package by "${specifier}"`;
    return /\.(ts|ts\?text|json)$/.test(specifier) ? undefined : `${path} imports "${specifier}" without its ending`;
  }
  if (specifier.startsWith("node:")) {
    const allowed = isTest(path) || typeOnly || !WITHOUT_NODE.includes(folder);
    return allowed ? undefined : `${path} imports "${specifier}", which a browser lacks`;
  }
  if (builtinModules.includes(specifier)) return `${path} imports "${specifier}" without "node:"`;
  if (isTest(path)) return undefined;
  const imported = packageIn(specifier);
  if (imported === self) return `${path} imports its own package by name`;
  if (!dependencies.has(imported)) return `${path} imports ${imported}, which ${folder}/package.json does not list`;
  if (!imported.startsWith("@finegrain/")) return undefined;
  const short = imported.slice("@finegrain/".length);
  if (!arrowsOf(folder).some((arrow) => (typeof arrow === "string" ? arrow === short : arrow.test(short)))) {
    return `${path} imports ${imported}, against the arrows of the design`;
  }
  if (short.startsWith("backend-") && !onDemand && !typeOnly)
    return `${path} imports ${imported} before it is asked for`;
  return undefined;
}

function complaints(from: Package, path: string, text: string): string[] {
  return importsOf(text).flatMap((entry) => complaint(from, path, entry) ?? []);
}

const packages = workspacePackages();

describe.each(packages)("$folder", (from) => {
  test("imports along the arrows", () => {
    const files = sourceFiles(from.folder);
    expect(files.flatMap((path) => complaints(from, path, readFileSync(join(workspace, path), "utf8")))).toEqual([]);
  });

  test("depends along the arrows", () => {
    const wrong = [...from.dependencies]
      .filter((name) => name.startsWith("@finegrain/"))
      .map((name) => name.slice("@finegrain/".length))
      .filter(
        (name) => !arrowsOf(from.folder).some((arrow) => (arrow instanceof RegExp ? arrow.test(name) : arrow === name)),
      );
    expect(wrong).toEqual([]);
  });

  test("gives its sources to the workspace and its build to others", () => {
    const code = Object.entries(from.exports).filter(([path]) => !path.endsWith(".json"));
    for (const [, conditions] of code) {
      expect(Object.keys(conditions)).toEqual(["@finegrain/source", "types", "default"]);
    }
  });
});

describe("the check", () => {
  const nn = packages.find(({ folder }) => folder === "packages/nn")!;
  const backends = packages.find(({ folder }) => folder === "packages/backends")!;
  const app = "packages/backends/src/open.ts";
  const layer = "packages/nn/src/layers/x.ts";
  test.each([
    ["an arrow backwards", nn, layer, 'import { loop } from "@finegrain/train";', "does not list"],
    ["a package reached by its path", nn, layer, 'export * from "../../../graph/src/op.ts";', "leaves its package"],
    ["a module of Node", nn, layer, 'import { join } from "node:path";', "browser lacks"],
    ["a module of Node by its old name", nn, layer, 'import { join } from "path";', 'without "node:"'],
    ["a missing ending", nn, layer, 'import { y } from "./y";', "without its ending"],
    ["an early backend", backends, app, 'import { onnx } from "@finegrain/backend-onnx";', "before it is asked for"],
    ["the testkit in an app", backends, app, 'await import("@finegrain/backend-testkit");', "does not list"],
  ])("finds %s", (_, from, path, text, expected) => {
    expect(complaints(from, path, text)).toEqual([expect.stringContaining(expected)]);
  });

  test.each([
    ["a backend on demand", backends, app, 'const { x } = await import("@finegrain/backend-onnx");'],
    ["a backend's types", backends, app, 'import type { X } from "@finegrain/backend-onnx";'],
    ["a neighbour", nn, layer, 'import { y } from "../y.ts";'],
    ["Node in a test", nn, "packages/nn/src/x.test.ts", 'import { join } from "node:path";'],
  ])("lets %s pass", (_, from, path, text) => {
    expect(complaints(from, path, text)).toEqual([]);
  });
});
