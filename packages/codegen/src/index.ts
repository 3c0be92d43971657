export * from "./arena.ts";
export * from "./buffer.ts";
export * from "./expression.ts";
export * from "./fuse.ts";
export * from "./index-form.ts";
export * from "./kernel.ts";
export * from "./plan-memory.ts";
export * from "./program.ts";
