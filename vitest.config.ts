import { existsSync, readdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import type { LaunchOptions } from "playwright";
import { defineConfig } from "vitest/config";
import { DEVICES, findDevices } from "./test/devices.ts";
import { inChromium, patience } from "./vitest.chromium.ts";
import { textInSources } from "./worker-text.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** What there is to test on. */
    devices: readonly string[];
    /** The browser, where it is among {@link devices}. */
    chromium: LaunchOptions | undefined;
  }
}

/** Packages are read from their sources, so that no test waits for a build. */
const resolve = { conditions: ["@finegrain/source", "module", "node", "development|production"] };
const { devices, chromium, env } = await findDevices();
Object.assign(process.env, env); // for the processes of tests, and theirs
/**
 * Tests that are tagged by a device are skipped where it is not: `{ tags: "webgpu/software" }`, or for a whole file
 * `@module-tag webgpu/software` in its head, where no tag has a colon.
 */
const tags = DEVICES.map((device) => ({ name: device.replace(":", "/"), skip: !devices.includes(device) }));
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
          tags,
          // Tests that run the built command build it first; turbo's cache makes that a moment where nothing changed.
          globalSetup: existsSync(build) ? [build] : [],
          ...patience,
        },
      };
      return chromium && hasBrowserTests(path) ? [inNode, inChromium(name, path, root, chromium)] : [inNode];
    }),
);

const workspace = {
  plugins: [textInSources],
  resolve,
  ssr: { resolve },
  test: { name: "workspace", root, include: ["test/*.test.ts"], ...patience },
};

const workspaceInChromium = chromium ? [inChromium("workspace", root, root, chromium)] : [];

/** The packages as they are installed from npm. They are built and packed first, so `npm test` leaves these to CI. */
const packed = {
  test: {
    name: "packed",
    root,
    include: ["test/packed/*.test.ts"],
    tags,
    globalSetup: ["test/packed/install.ts"],
    ...patience,
  },
};

export default defineConfig({
  test: {
    pool: "forks",
    // One more than vitest's own choice, which leaves a processor to the main process: that has little to do.
    maxWorkers: availableParallelism(),
    globalSetup: ["test/temporary-folder.ts", "test/say-missing.ts"],
    provide: { devices, chromium },
    projects: [...packages, workspace, ...workspaceInChromium, packed],
  },
});
