import { readFileSync } from "node:fs";
import { defineConfig, type UserConfig } from "vite";
import { textInSources } from "../../worker-text.ts";
import { docs } from "./docs/plugin.ts";

/** Backends that need Node. The page never asks for them, so that their packages stay out of it. */
const NATIVE = [/^@finegrain\/backend-(onnx|tfjs)$/, "webgpu"];

/** What makes a page cross-origin isolated, without which it has one thread. */
export const ISOLATED = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

/** Suites of the repository that fit a page. */
const SUITES = Object.fromEntries(
  ["widths", "train-small", "ops"].map((name) => [
    name,
    JSON.parse(readFileSync(new URL(`../../benchmarks/suites/${name}.json`, import.meta.url), "utf8")),
  ]),
);

/** The page, with the API's pages made of what `npm run docs` put in a folder of the repository. */
export const pageConfig = (api: string): UserConfig => ({
  define: { SUITES: JSON.stringify(SUITES) },
  // A folder that works wherever it is put.
  base: "./",
  // The sources of the packages, as tests read them: nothing has to be built before.
  resolve: { conditions: ["@finegrain/source", "module", "browser", "development|production"] },
  plugins: [textInSources, docs({ api })],
  worker: { format: "es", plugins: () => [textInSources], rolldownOptions: { external: NATIVE } },
  build: { target: "es2022", rolldownOptions: { external: NATIVE }, chunkSizeWarningLimit: 1000 },
  optimizeDeps: { noDiscovery: true },
  server: { headers: ISOLATED },
  preview: { headers: ISOLATED },
});

export default defineConfig(pageConfig("docs/api"));
