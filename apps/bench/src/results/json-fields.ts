import { FinegrainError, isJsonObject } from "@finegrain/graph";

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
  if (!isJsonObject(value)) throw new FinegrainError(`${name} must be an object with ${known.join(", ")}`);
  const missing = needed.find((field) => !Object.hasOwn(value, field));
  if (missing !== undefined) throw new FinegrainError(`${name} has no "${missing}"`);
  const unknown = Object.keys(value).find((field) => !known.includes(field));
  if (unknown !== undefined)
    throw new FinegrainError(`${name} has an unknown field "${unknown}": known are ${known.join(", ")}`);
  return value;
}
