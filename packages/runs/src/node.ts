import { FinegrainError } from "@finegrain/graph";

/*
 * Node's own modules, looked up when something first needs them. An import of `node:fs` would keep bundlers from taking
 * this package into a page, where everything works but files and run folders.
 */

export const nodeFiles = () => builtIn("node:fs/promises");
export const nodeFilesSync = () => builtIn("node:fs");
export const nodePath = () => builtIn("node:path");
export const nodeCrypto = () => builtIn("node:crypto");

interface BuiltIn {
  "node:fs/promises": typeof import("node:fs/promises");
  "node:fs": typeof import("node:fs");
  "node:path": typeof import("node:path");
  "node:crypto": typeof import("node:crypto");
}

function builtIn<N extends keyof BuiltIn>(name: N): BuiltIn[N] {
  const found = globalThis.process?.getBuiltinModule?.(name);
  if (!found) throw new FinegrainError("there is no file system here: files and run folders need Node 20.16 or newer");
  return found as BuiltIn[N]; // by its name
}
