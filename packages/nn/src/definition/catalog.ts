import { type AnyDefinition, build, place } from "./layer-definition.ts";
import type { Given, Options } from "./option.ts";

/** Definitions of one kind of layer by their names in a config. */
export type Catalog<D, L> = Readonly<Record<string, AnyDefinition<D, L>>>;

interface Named {
  readonly name: string;
  readonly options: Options;
}

/** Definitions by their names, in the order given. */
export const catalog = <const T extends readonly Named[]>(
  ...definitions: T
): { readonly [K in T[number] as K["name"]]: K } =>
  // `fromEntries` forgets which name goes with which definition.
  Object.fromEntries(definitions.map((definition) => [definition.name, definition])) as {
    [K in T[number] as K["name"]]: K;
  };

/** What a config says of one part: which layer of the catalog, and its options. */
export type ConfigOf<C> = PartOf<C[keyof C]>;
/** What a config says to choose the layer of a definition: of a union, any of them. */
export type PartOf<D> = D extends { readonly name: infer N; readonly options: infer O }
  ? { readonly type: N } & Given<O>
  : never;

/** As {@link ConfigOf}, of parts that may be named alone where no option is needed. */
export type NamedConfigOf<C> = (keyof C & string) | ConfigOf<C>;

/** A part as a JSON file may have it: a layer's name, or with options beside it. */
type Part = string | ({ readonly type: string } & Readonly<Record<string, unknown>>);

/**
 * The layer that a model's config chooses for its field `field`.
 * @throws FinegrainError where there is no such layer, or an option is unknown, out of range or does not fit.
 */
export function fromConfig<D extends object, L>(known: Catalog<D, L>, field: string, part: Part, dimensions: D): L {
  const { type, ...options } = typeof part === "string" ? { type: part } : part;
  const at = place("model config", (name) => `${field}.${name}`);
  const definition = Object.hasOwn(known, type) ? known[type] : undefined;
  if (definition === undefined) {
    const names = Object.keys(known).join(", ");
    return at.refuse(`${typeof part === "string" ? field : at.option("type")} must be one of ${names}, not "${type}"`);
  }
  const strange = Object.keys(options).find((name) => !Object.hasOwn(definition.options, name));
  if (strange !== undefined) {
    const names = Object.keys(definition.options).join(", ") || "none";
    at.refuse(`${field} of type ${type} has no option "${strange}": it has ${names}`);
  }
  return build(definition, { ...options, ...dimensions }, at);
}
