import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { inChromium } from "./vitest.chromium.ts";
import { textInSources } from "./worker-text.ts";

/** Packages are read from their sources, so that no test waits for a build. */
const resolve = { conditions: ["@finegrain/source", "module", "node", "development|production"] };
const root = fileURLToPath(new URL(".", import.meta.url));

const hasBrowserTests = (path: string): boolean =>
  existsSync(`${path}/test`) && readdirSync(`${path}/test`).some((file) => file.endsWith(".browser.ts"));

/**
 * One project a package, named like it: `npx vitest run --project @finegrain/graph`. Where it has browser tests, they
 * are another, "@finegrain/graph in Chromium".
 */
const packages = ["packages", "apps"].flatMap((folder) =>
  readdirSync(`${root}${folder}`)
    .map((name) => `${root}${folder}/${name}`)
    .filter((path) => existsSync(`${path}/package.json`))
    .flatMap((path) => {
      const { name } = JSON.parse(readFileSync(`${path}/package.json`, "utf8")) as { name: string };
      const build = `${path}/test/build.ts`;
      const inNode = {
        plugins: [textInSources],
        resolve,
        ssr: { resolve },
        test: {
          name,
          root: path,
          include: ["src/**/*.test.ts", "test/**/*.test.ts"],
          // Tests that run the built command build it first; turbo's cache makes that a moment where nothing changed.
          globalSetup: existsSync(build) ? [build] : [],
          testTimeout: 30_000,
        },
      };
      return hasBrowserTests(path) ? [inNode, inChromium(name, path, root)] : [inNode];
    }),
);

export default defineConfig({
  test: {
    pool: "forks",
    globalSetup: "test/temporary-folder.ts",
    projects: [...packages, { test: { name: "workspace", root, include: ["test/**/*.test.ts"], testTimeout: 30_000 } }],
  },
});
