import { defineConfig } from "tsup";

/**
 * How every package is built: each entry becomes an ES module with source map and, where others import it, declarations.
 * Other packages stay imports. Declarations read theirs from dist, which turbo has built before.
 */
export function packageBuild(entry: string[], { declarations = true }: { declarations?: boolean } = {}) {
  return defineConfig({
    entry,
    format: "esm",
    target: "node20",
    platform: "neutral",
    external: [/^node:/],
    sourcemap: true,
    clean: true,
    silent: true,
    treeshake: false,
    dts: declarations && { compilerOptions: { customConditions: [] } },
    outExtension: () => ({ js: ".js", dts: ".d.ts" }),
  });
}
