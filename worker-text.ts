import { buildSync } from "esbuild";
import type { Options } from "tsup";
import type { Plugin } from "vite";

/** How a source file asks for a program's text: `import text from "./worker.ts?text"`. */
const ASKED = /\?text$/;

/** The program in a file with all that it imports, as one script that runs on its own: in any worker, module or not. */
function textOf(path: string): string {
  const { outputFiles } = buildSync({
    entryPoints: [path.replace(ASKED, "")],
    bundle: true,
    minify: true,
    format: "iife",
    target: "es2022",
    write: false,
  });
  return outputFiles[0]!.text; // one entry is one file
}

/** For the build: what a bundler of the user's does to functions, as `--keep-names` does, cannot reach into a text. */
export const textInBuild: NonNullable<Options["esbuildPlugins"]>[number] = {
  name: "worker-text",
  setup({ onLoad, onResolve }) {
    onResolve({ filter: ASKED }, ({ path, resolveDir }) => ({ path: `${resolveDir}/${path}`, namespace: "text" }));
    onLoad({ filter: ASKED, namespace: "text" }, ({ path }) => ({ contents: textOf(path), loader: "text" }));
  },
};

/** For tests and pages, which read the sources. */
export const textInSources: Plugin = {
  name: "worker-text",
  load: (id) => (ASKED.test(id) ? `export default ${JSON.stringify(textOf(id))};` : undefined),
};
