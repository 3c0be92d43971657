/** Whether a config must have an option, gets a value for it where it has none, or may go without. */
export type Presence = "required" | "defaulted" | "optional";

/** What is known where a value for an option is suggested: the model, what it trains on, and the numbers chosen before. */
export interface Suggested {
  readonly dModel: number;
  readonly heads: number;
  /** Sequences of a training batch. */
  readonly batch: number;
  /** The layer's numbers that stand before this option in its table. */
  readonly chosen: Readonly<Record<string, number>>;
}

/** What every kind of option may say of itself. */
interface Described<T> {
  /** What it is, as help and tables show it: a phrase without a full stop. */
  readonly doc: string;
  /** The value where a config has none. */
  readonly default?: T;
  /** Of an option without a default that a config may leave out: in words, what holds then. */
  readonly otherwise?: string;
  /** The command's value where nobody says one; it is written into the config. */
  readonly suggest?: (model: Suggested) => T;
  /** The command's flag, where it is not the option's own name; null where there is none. */
  readonly flag?: string | null;
}

/** One option of a layer: what it means, what it may be and what holds without it. */
export interface Option<T = unknown, P extends Presence = Presence> extends Described<T> {
  readonly kind: "whole" | "number" | "choice" | "boolean" | "group";
  readonly presence: P;
  /** What a value must be, in words that follow "must be". */
  readonly range: string;
  /** Of a choice: its names. */
  readonly choices?: readonly string[];
  /** Of a number: the least that a command line takes. */
  readonly least?: number;
  accepts(value: unknown): value is T;
  /** Values that are nearly right, for tests. */
  readonly refused: readonly unknown[];
}

/** A layer's options by name, in the order in which they are shown and suggested. */
export type Options = Readonly<Record<string, Option>>;

type ValueOf<X> = X extends Option<infer T> ? T : never;
/** The names in `O` of options that are present as `P` says. */
type Names<O, P extends Presence> = { [K in keyof O]: O[K] extends Option<unknown, P> ? K : never }[keyof O];

/** Options as a config gives them. */
export type Given<O> = { readonly [K in Names<O, "required">]: ValueOf<O[K]> } & {
  readonly [K in Exclude<keyof O, Names<O, "required">>]?: ValueOf<O[K]>;
};
/** Options as a layer is built from them: defaults are there. */
export type Resolved<O> = { readonly [K in Exclude<keyof O, Names<O, "optional">>]: ValueOf<O[K]> } & {
  readonly [K in Names<O, "optional">]?: ValueOf<O[K]>;
};

type PresenceOf<S> = S extends { readonly default: unknown }
  ? "defaulted"
  : S extends { readonly otherwise: string }
    ? "optional"
    : "required";

function option<T, S extends Described<T>>(
  spec: S,
  own: Pick<Option<T>, "kind" | "range" | "refused" | "choices" | "least"> & {
    readonly accepts: (value: unknown) => boolean;
  },
): Option<T, PresenceOf<S>> {
  const { default: usual, otherwise } = spec;
  const presence = usual !== undefined ? "defaulted" : otherwise !== undefined ? "optional" : "required";
  return { ...spec, ...own, presence } as unknown as Option<T, PresenceOf<S>>; // the same rule twice, of values and of types
}

interface WholeSpec extends Described<number> {
  /** Default 1. */
  readonly least?: number;
  readonly odd?: boolean;
}

/** A whole number of at least 1, or of what the option says. */
export function whole<const S extends WholeSpec>(spec: S): Option<number, PresenceOf<S>> {
  const { least = 1, odd = false } = spec;
  const parity = odd ? "odd integer" : "integer";
  const range = least === 1 ? `a positive ${parity}` : `an ${parity} of at least ${least}`;
  const accepts = (value: unknown) => Number.isSafeInteger(value) && Number(value) >= least && !(odd && isEven(value));
  return option<number, S>(spec, { kind: "whole", least, range, accepts, refused: [least - 1, least + 0.5, "many"] });
}

const isEven = (value: unknown): boolean => Number(value) % 2 === 0;

interface NumberSpec extends Described<number> {
  /** The least value. */
  readonly least?: number;
  /** What it must be greater than. */
  readonly above?: number;
  /** The largest value, beside `least`. */
  readonly most?: number;
}

/** A number in a range. */
export function number<const S extends NumberSpec>(spec: S): Option<number, PresenceOf<S>> {
  const { least = Number.NEGATIVE_INFINITY, above = Number.NEGATIVE_INFINITY, most = Number.POSITIVE_INFINITY } = spec;
  const accepts = (value: unknown) =>
    typeof value === "number" && Number.isFinite(value) && value >= least && value > above && value <= most;
  const beyond = [least - 1, above, most + 1].filter(Number.isFinite);
  return option<number, S>(spec, { kind: "number", range: rangeOf(spec), accepts, refused: [...beyond, "much"] });
}

function rangeOf({ least, above, most }: NumberSpec): string {
  if (above !== undefined) return most === undefined ? `greater than ${above}` : `greater than ${above}, up to ${most}`;
  if (least === undefined) return most === undefined ? "a number" : `at most ${most}`;
  return most === undefined ? `at least ${least}` : `from ${least} to ${most}`;
}

/** One of a few names. */
export function choice<const C extends string, const S extends Described<NoInfer<C>>>(
  choices: readonly C[],
  spec: S,
): Option<C, PresenceOf<S>> {
  const accepts = (value: unknown) => choices.some((known) => known === value);
  const range = `one of ${choices.join(", ")}`;
  return option<C, S>(spec, { kind: "choice", choices, range, accepts, refused: [`${choices[0]}?`, 1] });
}

/** True or false. */
export function boolean<const S extends Described<boolean>>(spec: S): Option<boolean, PresenceOf<S>> {
  const accepts = (value: unknown) => typeof value === "boolean";
  return option<boolean, S>(spec, { kind: "boolean", range: "true or false", accepts, refused: ["yes", 1] });
}

/** An object of true-or-false options, each false where it is absent. The command has no flag for it. */
export function group<const K extends string, const S extends Described<Readonly<Partial<Record<K, boolean>>>>>(
  names: readonly K[],
  spec: S,
): Option<Readonly<Partial<Record<K, boolean>>>, PresenceOf<S>> {
  const accepts = (value: unknown) =>
    typeof value === "object" &&
    value !== null &&
    Object.entries(value).every(([name, on]) => names.some((known) => known === name) && typeof on === "boolean");
  return option<Readonly<Partial<Record<K, boolean>>>, S>(
    { ...spec, flag: null },
    {
      kind: "group",
      range: `an object of ${names.join(", ")}, each true or false`,
      accepts,
      refused: [true, { [`${names[0]}?`]: true }],
    },
  );
}
