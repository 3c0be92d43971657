import { defineBrowserCommand, playwright } from "@vitest/browser-playwright";
import { browserBytes as bytesOf } from "./apps/playground/test/browser-bytes.ts";
import type { ChromiumLaunch } from "./test/devices.ts";
import { textInSources } from "./worker-text.ts";

/** Milliseconds after which a test, or what is done before it, hangs: those on a software GPU take a minute where other tests have the cores. */
const TEST_TIMEOUT = 120_000;
/** Milliseconds in which what a page or a process is waited for comes, on a machine that is busy with other tests. */
const POLL_TIMEOUT = 20_000;

/** How long the tests of every project are waited for. */
export const patience = {
  testTimeout: TEST_TIMEOUT,
  hookTimeout: TEST_TIMEOUT,
  expect: { poll: { timeout: POLL_TIMEOUT } },
};

/** See {@link bytesOf}. */
const browserBytes = defineBrowserCommand(({ context, page }) => bytesOf(context, page));

/**
 * The project of a package's browser tests, `test/*.browser.ts`: they run in a headless Chromium, in a page that may
 * share memory with its workers. Vite serves every source file, so nothing is built.
 *
 * @param root the workspace's folder, from which files are served.
 * @param chromium the browser.
 */
export const inChromium = (name: string, path: string, root: string, chromium: ChromiumLaunch) => ({
  plugins: [textInSources],
  // As in vitest.config.ts, for a page.
  resolve: { conditions: ["@finegrain/source", "module", "browser", "development|production"] },
  server: {
    // What makes a page cross-origin isolated, without which there is no SharedArrayBuffer.
    headers: { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" },
    fs: { allow: [root] },
  },
  test: {
    name: `${name} in Chromium`,
    root: path,
    include: ["test/**/*.browser.ts"],
    ...patience,
    browser: {
      enabled: true,
      headless: true,
      screenshotFailures: false,
      // One page at a time: they would share the browser whose memory is measured.
      fileParallelism: false,
      commands: { browserBytes },
      provider: playwright({
        launchOptions: {
          ...chromium,
          args: [
            "--no-sandbox", // CI is root in a container
            "--enable-unsafe-webgpu",
            "--use-webgpu-adapter=swiftshader",
          ],
        },
      }),
      instances: [{ browser: "chromium" as const }],
    },
  },
});
