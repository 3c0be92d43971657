/*
 * Node's own modules, looked up when something needs them: undefined in a page. An import would keep bundlers from taking the method into one.
 */

interface BuiltIn {
  "node:events": typeof import("node:events");
  "node:fs": typeof import("node:fs");
  "node:os": typeof import("node:os");
  "node:v8": typeof import("node:v8");
  "node:vm": typeof import("node:vm");
  "node:worker_threads": typeof import("node:worker_threads");
}

export const builtIn = <N extends keyof BuiltIn>(name: N): BuiltIn[N] | undefined =>
  globalThis.process?.getBuiltinModule?.(name) as BuiltIn[N] | undefined; // by its name
