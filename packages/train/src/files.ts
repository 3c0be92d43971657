// What a run reads from and writes to disk, for Node alone: the package's other entry runs in a page too.
export { type ReadTextOptions, readText, TEXT_ENDINGS } from "./data/text.ts";
export * from "./run-folder/index.ts";
