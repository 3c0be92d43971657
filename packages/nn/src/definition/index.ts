export { type Catalog, catalog } from "./catalog.ts";
export type { AnyDefinition, Case, Defined, Definition, Place } from "./layer-definition.ts";
export * from "./option.ts";
