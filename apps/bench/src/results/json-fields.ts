import { FinegrainError } from "@finegrain/graph";

export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * The fields of a JSON object.
 * @throws FinegrainError where it is no object, lacks a needed field or has one that is not known.
 */
export function fields(
  value: unknown,
  name: string,
  needed: readonly string[],
  optional: readonly string[],
): Readonly<Record<string, unknown>> {
  const known = [...needed, ...optional];
  if (!isObject(value)) throw new FinegrainError(`${name} must be an object with ${known.join(", ")}`);
  const missing = needed.find((field) => !Object.hasOwn(value, field));
  if (missing !== undefined) throw new FinegrainError(`${name} has no "${missing}"`);
  const unknown = Object.keys(value).find((field) => !known.includes(field));
  if (unknown !== undefined)
    throw new FinegrainError(`${name} has an unknown field "${unknown}": known are ${known.join(", ")}`);
  return value;
}
