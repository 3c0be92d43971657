import { defineConfig } from "tsup";

/**
 * How every package is built: each entry becomes an ES module with its source map, and `src/index.ts` its declarations.
 * Other packages stay imports. Declarations read theirs from dist, which turbo has built before.
 */
export function packageBuild(entry: string[]) {
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
    dts: entry.includes("src/index.ts") && { entry: "src/index.ts", compilerOptions: { customConditions: [] } },
  });
}
