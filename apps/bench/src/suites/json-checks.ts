import { FinegrainError, isJsonObject, type JsonObject } from "@finegrain/graph";

/*
 * Values of a suite's or a study's file, each as what it has to be. `name` is how errors call the place of the value; all
 * throw a FinegrainError that says what was expected there and what was found.
 */

export function text(value: unknown, name: string): string {
  if (typeof value === "string" && value !== "") return value;
  throw new FinegrainError(`${name} must be a text, not ${JSON.stringify(value)}`);
}

export function oneOf<T extends string>(known: readonly T[], value: unknown, name: string): T {
  const one = known.find((candidate) => candidate === value);
  if (one !== undefined) return one;
  throw new FinegrainError(`${name} must be one of ${known.join(", ")}, not ${JSON.stringify(value)}`);
}

export function list(value: unknown, name: string): readonly unknown[] {
  if (Array.isArray(value) && value.length > 0) return value;
  throw new FinegrainError(`${name} must be a list with at least one entry, not ${JSON.stringify(value)}`);
}

export function object(value: unknown, name: string): JsonObject {
  if (isJsonObject(value)) return value;
  throw new FinegrainError(`${name} must be an object, not ${JSON.stringify(value)}`);
}

export function wholeNumber(value: unknown, name: string, least = 1): number {
  if (Number.isSafeInteger(value) && (value as number) >= least) return value as number; // a number, as the first half found
  throw new FinegrainError(`${name} must be a whole number of at least ${least}, not ${JSON.stringify(value)}`);
}

export function positiveNumber(value: unknown, name: string): number {
  if (typeof value === "number" && value > 0 && Number.isFinite(value)) return value;
  throw new FinegrainError(`${name} must be a number above 0, not ${JSON.stringify(value)}`);
}

/** @throws FinegrainError where two entries are called alike. */
export function differentNames(entries: readonly { readonly name: string }[], name: string): void {
  const names = entries.map((entry) => entry.name);
  const twice = names.find((one, i) => names.indexOf(one) !== i);
  if (twice !== undefined) throw new FinegrainError(`${name}: two variants are called "${twice}"`);
}
