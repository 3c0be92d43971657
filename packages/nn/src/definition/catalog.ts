import { FinegrainError } from "@finegrain/graph";
import { type AnyDefinition, build } from "./layer-definition.ts";
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
export type ConfigOf<C> = {
  [K in keyof C]: C[K] extends { readonly options: infer O } ? { readonly type: K } & Given<O> : never;
}[keyof C];

/** A part as a JSON file may have it. */
type Part = { readonly type: string } & Readonly<Record<string, unknown>>;

/**
 * The layer that a model's config chooses for its field `field`.
 * @throws FinegrainError where there is no such layer, or an option is unknown, out of range or does not fit.
 */
export function fromConfig<D extends object, L>(known: Catalog<D, L>, field: string, part: Part, dimensions: D): L {
  const owner = "model config";
  const { type, ...options } = part;
  const definition = Object.hasOwn(known, type) ? known[type] : undefined;
  if (definition === undefined)
    throw new FinegrainError(
      `${owner}: ${field}.type must be one of ${Object.keys(known).join(", ")}, not ${JSON.stringify(type)}`,
    );
  const strange = Object.keys(options).find((name) => !Object.hasOwn(definition.options, name));
  if (strange !== undefined) {
    const names = Object.keys(definition.options);
    const has = names.length === 0 ? "none" : names.join(", ");
    throw new FinegrainError(`${owner}: ${field} of type ${type} has no option "${strange}": it has ${has}`);
  }
  return build(definition, { ...options, ...dimensions }, { owner, option: (name) => `${field}.${name}` });
}
