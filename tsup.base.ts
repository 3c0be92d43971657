import { defineConfig } from "tsup";

/**
 * How every package is built: each entry becomes an ES module with its source map and, unless it is a command
 * (`main.ts`), its declarations. Other packages stay imports. Declarations read theirs from dist, which turbo has built
 * before.
 */
export function packageBuild(entry: string[]) {
  const imported = entry.filter((path) => !path.endsWith("main.ts"));
  return defineConfig({
    entry,
    format: "esm",
    target: "node20",
    platform: "neutral",
    external: [/^node:/, /^@finegrain\//],
    removeNodeProtocol: false,
    sourcemap: true,
    clean: true,
    silent: true,
    dts: imported.length > 0 && { entry: imported, compilerOptions: { customConditions: [] } },
  });
}
