export * from "./corpus.ts";
export * from "./held-out.ts";
export * from "./run-config.ts";
export * from "./run-folder.ts";
export * from "./speeches.ts";
export * from "./training.ts";
