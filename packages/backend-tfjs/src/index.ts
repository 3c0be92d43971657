export { type TfjsOptions, tfjsBackend } from "./backend.ts";
export type { Engine } from "./engines.ts";
