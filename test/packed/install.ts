import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { TestProject } from "vitest/node";
import { publishedPackages, workspace } from "../imports.ts";

declare module "vitest" {
  interface ProvidedContext {
    installed: Installed;
  }
}

/** All packages as npm would publish them, in a project outside of the workspace. */
export interface Installed {
  /** The project's folder. */
  readonly folder: string;
  /** Each package's tarball by its name. */
  readonly tarballs: Readonly<Record<string, string>>;
  /** What `npm install` took. */
  readonly seconds: number;
}

const run = promisify(execFile);

/** What vitest would be installed for: who uses the library does not need it. */
const FOR_AUTHORS = "@finegrain/backend-testkit";

/** Build, pack and install once, for all tests of this folder. */
export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  await run(process.execPath, ["scripts/turbo.mjs", "run", "build"], { cwd: workspace });
  const root = await mkdtemp(join(tmpdir(), "finegrain-packed-"));
  const [packs, folder] = [join(root, "tarballs"), join(root, "project")];
  await Promise.all([mkdir(packs), mkdir(folder)]);
  await run("npm", ["pack", "--workspaces", "--pack-destination", packs], { cwd: workspace });
  const files = await readdir(packs);
  const tarballs = Object.fromEntries(
    publishedPackages().map(({ name }) => {
      const prefix = `${name.replace("@", "").replace("/", "-")}-`;
      return [
        name,
        join(packs, files.find((file) => file.startsWith(prefix) && /^\d/.test(file.slice(prefix.length)))!),
      ];
    }),
  );
  const dependencies = Object.fromEntries(
    Object.entries(tarballs).flatMap(([name, path]) => (name === FOR_AUTHORS ? [] : [[name, `file:${path}`]])),
  );
  await writeFile(join(folder, "package.json"), JSON.stringify({ private: true, type: "module", dependencies }));
  await writeFile(join(folder, ".npmrc"), await readFile(join(workspace, ".npmrc"), "utf8"));
  const started = performance.now();
  await run("npm", ["install", "--prefer-offline"], { cwd: folder });
  provide("installed", { folder, tarballs, seconds: (performance.now() - started) / 1000 });
  return () => rm(root, { recursive: true });
}
