import { FinegrainError, shownJson } from "@finegrain/graph";

/** Reads fields of a file about a model; what is missing or wrong is one sentence with the field's name. */
export interface FieldReader {
  /** A whole number above 0. @param otherwise where there is none; without it, it has to be there. */
  whole(name: string, otherwise?: number | undefined): number;
  /** A number above 0. */
  number(name: string, otherwise?: number): number;
  flag(name: string, otherwise: boolean): boolean;
  /** Undefined where there is none. */
  text(name: string): string | undefined;
}

/**
 * @param get the value of a field; undefined or null where there is none.
 * @param path what has the fields.
 * @param prefix what stands before their names there.
 */
export function fieldReader(get: (name: string) => unknown, path: string, prefix = ""): FieldReader {
  const read = <T>(name: string, fits: (value: unknown) => boolean, what: string, otherwise?: T): T => {
    const value = get(name) ?? otherwise;
    if (value === undefined) throw new FinegrainError(`${path} has no ${prefix}${name}, which has to be ${what}`);
    if (!fits(value)) throw new FinegrainError(`${path}: ${prefix}${name} must be ${what}, not ${shownJson(value)}`);
    return value as T; // as was just checked
  };
  const isAbove0 = (value: unknown) => typeof value === "number" && Number.isFinite(value) && value > 0;
  return {
    whole: (name, otherwise) =>
      read(name, (value) => Number.isSafeInteger(value) && isAbove0(value), "a whole number above 0", otherwise),
    number: (name, otherwise) => read(name, isAbove0, "a number above 0", otherwise),
    flag: (name, otherwise) => read(name, (value) => typeof value === "boolean", "true or false", otherwise),
    text(name) {
      const value = get(name) ?? undefined;
      return value === undefined ? undefined : read(name, (one) => typeof one === "string", "a text");
    },
  };
}
