import { execFile } from "node:child_process";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, inject, test } from "vitest";
import { publishedPackages, workspace } from "../imports.ts";
import { examples } from "./examples.ts";

const run = promisify(execFile);
const { folder } = inject("installed");
const tsc = join(workspace, "node_modules/typescript/bin/tsc");

/** Everything that can be imported, by the name that imports it. */
const entries = publishedPackages()
  .filter(({ name }) => name !== "@finegrain/backend-testkit")
  .flatMap(({ name, exports }) =>
    Object.keys(exports).flatMap((path) => (path.endsWith(".json") ? [] : [name + path.slice(1)])),
  );

/** What the compiler complains of in a project of its own. */
async function complaints(name: string, files: Record<string, string>, compilerOptions: object): Promise<string> {
  const project = join(folder, "types", name);
  await mkdir(project, { recursive: true });
  for (const [file, text] of Object.entries(files)) await writeFile(join(project, file), text);
  const strict = {
    strict: true,
    skipLibCheck: false,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    verbatimModuleSyntax: true,
    noEmit: true,
    target: "es2022",
  };
  await writeFile(
    join(project, "tsconfig.json"),
    JSON.stringify({ compilerOptions: { ...strict, ...compilerOptions }, files: Object.keys(files) }),
  );
  return run(process.execPath, [tsc, "-p", project]).then(
    () => "",
    ({ stdout }) => stdout,
  );
}

const importing = (names: readonly string[]): string =>
  names.map((entry, i) => `export * as e${i} from "${entry}";`).join("\n");
/** What says nothing of abort signals, which TypeScript knows from the DOM or from Node's types alone. */
const language = entries.filter((name) => /^@finegrain\/(graph|nn|train|codegen|backend)/.test(name));

const inPage = `
import { webgpuBackend } from "@finegrain/backend-webgpu";
import { wasmBackend } from "@finegrain/backend-wasm";
import type { Backend } from "@finegrain/graph";

export async function open(): Promise<Backend> {
  return "gpu" in navigator ? await webgpuBackend() : await wasmBackend({ threads: 2 });
}`;

beforeAll(async () => {
  await mkdir(join(folder, "node_modules/@types"), { recursive: true });
  await symlink(join(workspace, "node_modules/@types/node"), join(folder, "node_modules/@types/node")).catch(() => {});
});

describe.each([
  ["nodenext", { module: "nodenext", moduleResolution: "nodenext" }],
  ["bundler", { module: "preserve", moduleResolution: "bundler" }],
])("declarations, module %s", (name, modules) => {
  test.each([
    ["in a page", { lib: ["es2022", "dom"], types: [] }, { "all.ts": importing(entries), "page.ts": inPage }],
    ["in Node", { lib: ["es2022"], types: ["node"] }, { "all.ts": importing(entries) }],
    ["with neither", { lib: ["es2022"], types: [] }, { "all.ts": importing(language) }],
  ])("stand on their own %s", async (where, options, files) => {
    expect(await complaints(`${name} ${where}`, files, { ...modules, ...options })).toBe("");
  });
});

test("every example of the pages is strictly typed", async () => {
  const files = examples();
  const options = { module: "nodenext", lib: ["es2023"], types: ["node"] };
  expect(Object.keys(files).length).toBeGreaterThan(5);
  expect(await complaints("examples", files, options)).toBe("");
});
