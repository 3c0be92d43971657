import { defineConfig } from "tsup";
import { textInBuild } from "./worker-text.ts";

/**
 * How every package is built: each entry becomes an ES module and, unless it is a command (`main.ts`), its declarations.
 * Other packages stay imports. Declarations read theirs from dist, which turbo has built before. The modules are not
 * minified, so they need no source maps.
 *
 * @param inside modules that only this package loads, by their file's name.
 */
export function packageBuild(entry: string[], inside: string[] = []) {
  const imported = entry.filter((path) => !path.endsWith("main.ts"));
  return defineConfig({
    entry: [...entry, ...inside],
    format: "esm",
    target: "node20",
    platform: "neutral",
    external: [/^node:/, /^@finegrain\//],
    esbuildPlugins: [textInBuild],
    removeNodeProtocol: false,
    clean: true,
    silent: true,
    dts: imported.length > 0 && {
      entry: imported,
      // What can be disposed is known to a reader's TypeScript too, whatever its `lib` says.
      banner: '/// <reference lib="esnext.disposable" />',
      compilerOptions: { customConditions: [] },
    },
  });
}
