import { FinegrainError } from "@finegrain/graph";
import type { Given, Options, Resolved } from "./option.ts";

/** How errors call what is checked: "model config" and "feedForward.rank", or the layer's name and "rank". */
export interface Place {
  readonly owner: string;
  option(name: string): string;
  /** @throws FinegrainError the sentence after the owner's name. */
  refuse(sentence: string): never;
}

export const place = (owner: string, option: (name: string) => string): Place => ({
  owner,
  option,
  refuse(sentence) {
    throw new FinegrainError(`${owner}: ${sentence}`);
  },
});

/** Options on which the generated tests try a layer. */
export interface Case<G> {
  readonly options: G;
  /**
   * What decoding token by token equals: the full pass of the same weights with these options in place of `options`; "none"
   * where there is no decode. Left out: the full pass itself.
   */
  readonly decodes?: Partial<G> | "none";
}

/**
 * All that is known of a layer, of which everything else follows: a config's type and its checks, the command's flags, tables in
 * documentation and tests.
 *
 * `D` is what a model tells every layer of the kind: its dimensions. `O` are the layer's options, `L` is what it builds.
 */
export interface Definition<D, N extends string, O extends Options, L> {
  /** The `type` in a config. */
  readonly name: N;
  /** What it does, in one phrase. */
  readonly summary: string;
  readonly options: O;
  /** @throws FinegrainError where options do not fit each other or the model: one sentence. */
  check?(config: D & Resolved<O>, at: Place): void;
  /** The layer of options that were checked. */
  build(config: D & Resolved<O>): L;
  readonly cases: readonly Case<Given<O>>[];
}

/** A layer's definition is the function that builds it: its options are checked and get their defaults. */
export type Defined<D, N extends string, O extends Options, L, X = unknown> = Definition<D, N, O, L> &
  X &
  ((config: D & Given<O>) => L);

/** A definition whose options are only known when a config is read. */
export interface AnyDefinition<D, L> {
  readonly name: string;
  readonly summary: string;
  readonly options: Options;
  check?(config: D, at: Place): void;
  build(config: D): L;
  readonly cases: readonly Case<Readonly<Record<string, unknown>>>[];
}

/** The function that carries `definition`. `kind` is what errors call such layers, as in "the sparse feed-forward layer". */
export function define<D extends object, N extends string, O extends Options, L, X>(
  kind: string,
  definition: Definition<D, N, O, L> & X,
): Defined<D, N, O, L, X> {
  const at = place(`the ${definition.name} ${kind}`, (name) => name);
  const make = (config: D & Given<O>): L => build(definition as AnyDefinition<D, L>, config, at);
  // A function's own name is read-only, but may be redefined.
  return Object.defineProperties(make, Object.getOwnPropertyDescriptors(definition)) as Defined<D, N, O, L, X>;
}

/**
 * The layer that a definition makes of options as a config gives them.
 * @throws FinegrainError where an option is missing, out of its range or does not fit the others.
 */
export function build<D extends object, L>(
  definition: AnyDefinition<D, L>,
  given: D & Readonly<Record<string, unknown>>,
  at: Place,
): L {
  const resolved = { ...given, ...resolve(definition.options, given, at) };
  definition.check?.(resolved, at);
  return definition.build(resolved);
}

function resolve(options: Options, given: Readonly<Record<string, unknown>>, at: Place) {
  return Object.fromEntries(
    Object.entries(options).flatMap(([name, option]) => {
      const value = given[name] ?? option.default;
      if (value === undefined && option.presence === "optional") return [];
      if (!option.accepts(value)) at.refuse(`${at.option(name)} must be ${option.range}, not ${shown(value)}`);
      return [[name, value]];
    }),
  );
}

const shown = (value: unknown): string =>
  typeof value === "string" || (typeof value === "object" && value !== null) ? JSON.stringify(value) : `${value}`;
