export * from "./result.ts";
export * from "./statistics.ts";
export * from "./suites.ts";
