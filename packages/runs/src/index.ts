export * from "./corpus.ts";
export * from "./folder/index.ts";
export * from "./held-out.ts";
export * from "./run-config.ts";
export * from "./run-folder.ts";
export * from "./speeches.ts";
export { type ReadTextOptions, readText, TEXT_ENDINGS } from "./text/read-text.ts";
export * from "./training.ts";
