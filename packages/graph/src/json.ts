import { FinegrainError } from "./errors.ts";

/** A value of JSON that is an object, its fields not yet checked. */
export type JsonObject = Readonly<Record<string, unknown>>;

/**
 * The value of a text that a user gives as JSON. A byte order mark at its beginning, which some editors write, is no part
 * of it.
 *
 * @param what the text, as the error's first words: "config.json", "line 3 of metrics.jsonl".
 * @throws FinegrainError where it is no JSON.
 */
export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text.startsWith("\uFEFF") ? text.slice(1) : text);
  } catch (error) {
    throw new FinegrainError(`${what} is not JSON: ${(error as Error).message}`);
  }
}

export const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** How much of a value an error shows. */
const SHOWN = 60;

/** A value as an error shows it: its JSON, shortened. What lies deep in it is left out, however deep it is. */
export function shownJson(value: unknown): string {
  const json = JSON.stringify(withoutDepth(value, 2)) ?? String(value);
  return json.length > SHOWN ? `${json.slice(0, SHOWN)}...` : json;
}

function withoutDepth(value: unknown, depth: number): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (depth === 0) return "...";
  if (Array.isArray(value)) return value.slice(0, SHOWN).map((item) => withoutDepth(item, depth - 1));
  const fields = Object.entries(value).slice(0, SHOWN);
  return Object.fromEntries(fields.map(([name, item]) => [name, withoutDepth(item, depth - 1)]));
}

/**
 * Make sure that a value is a JSON object.
 * @throws FinegrainError that names it as `what`.
 */
export function jsonObject(value: unknown, what: string): JsonObject {
  if (isJsonObject(value)) return value;
  throw new FinegrainError(`${what} must be a JSON object, not ${shownJson(value)}`);
}
