import { FinegrainError, type JsonObject, jsonObject, shownJson } from "@finegrain/graph";

/** Reads the fields of one part of a tokenizer.json; what is not of its type is refused by its name. */
export interface Fields {
  /** What an error calls the part: "t: its decoder ByteLevel". */
  readonly what: string;
  readonly value: JsonObject;
  text(name: string, otherwise?: string): string;
  flag(name: string, otherwise?: boolean): boolean;
  count(name: string, otherwise?: number): number;
  list(name: string): readonly unknown[];
  /** A text of one character. */
  character(name: string): string;
  /** One of `known`. */
  choice<T extends string>(name: string, known: readonly T[], otherwise?: T): T;
}

/** @throws FinegrainError where `value` is no object. */
export function fieldsOf(value: unknown, what: string): Fields {
  const object = jsonObject(value, what);
  function read<T>(name: string, expected: string, fits: (field: unknown) => field is T, otherwise?: T): T {
    const field = object[name] ?? otherwise;
    if (fits(field)) return field;
    throw new FinegrainError(`${what} needs "${name}" to be ${expected}, not ${shownJson(object[name])}`);
  }
  const text = (name: string, otherwise?: string) => read(name, "a text", isText, otherwise);
  return {
    what,
    value: object,
    text,
    flag: (name, otherwise) => read(name, "true or false", isFlag, otherwise),
    count: (name, otherwise) => read(name, "a whole number of at least 0", isCount, otherwise),
    list: (name) => read(name, "a list", Array.isArray),
    character(name) {
      const isCharacter = (field: unknown): field is string => isText(field) && [...field].length === 1;
      return read(name, "one character", isCharacter);
    },
    choice(name, known, otherwise) {
      const isKnown = (field: unknown): field is (typeof known)[number] =>
        known.some((candidate) => candidate === field);
      return read(name, `one of ${known.join(", ")}`, isKnown, otherwise);
    },
  };
}

const isText = (value: unknown): value is string => typeof value === "string";
const isFlag = (value: unknown): value is boolean => typeof value === "boolean";
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** A constructor for every type that a part of a tokenizer.json can have, by its name there. */
export type Makers<T> = Readonly<Record<string, (fields: Fields, make: (value: unknown) => T) => T>>;

/** Parts within one another, and one after another, that a tokenizer.json may have: real ones have about five. */
const MOST_PARTS = 100;

/**
 * One part of a tokenizer.json with the parts in it, by the makers of its kind.
 *
 * @param what the kind, for errors: "t: its normalizer".
 * @throws FinegrainError where its type is not known or a field does not fit.
 */
export function makePart<T>(value: unknown, what: string, makers: Makers<T>): T {
  let parts = 0;
  const make = (inner: unknown): T => {
    if (++parts > MOST_PARTS) throw new FinegrainError(`${what} has more than ${MOST_PARTS} parts`);
    const { type } = jsonObject(inner, what);
    const maker = typeof type === "string" && Object.hasOwn(makers, type) ? makers[type] : undefined;
    if (maker === undefined)
      throw new FinegrainError(
        `${what} is of the type ${shownJson(type)}, which is not supported: known are ${Object.keys(makers).join(", ")}`,
      );
    return maker(fieldsOf(inner, `${what} ${type}`), make);
  };
  return make(value);
}
