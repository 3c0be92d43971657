import { isJsonObject } from "@finegrain/graph";
import { PHASES } from "./result.ts";

type Check = readonly [is: (value: unknown) => boolean, what: string];
type Checks = Readonly<Record<string, Check>>;

const isNumber = (value: unknown): value is number => typeof value === "number";
const isSpread = (value: unknown): boolean =>
  isJsonObject(value) && isNumber(value.median) && isNumber(value.low) && isNumber(value.high);

const TEXT: Check = [(value) => typeof value === "string", "a text"];
const NUMBER: Check = [isNumber, "a number"];
const SPREAD: Check = [isSpread, "an object with the numbers median, low and high"];
const TEXTS: Check = [
  (value) => isJsonObject(value) && Object.values(value).every((one) => typeof one === "string"),
  "an object of texts",
];
const orNull = ([is, what]: Check): Check => [(value) => value === null || is(value), `${what}, or null`];
const optional = ([is, what]: Check): Check => [(value) => value === undefined || is(value), what];
const oneOf = (...values: readonly string[]): Check => [
  (value) => typeof value === "string" && values.includes(value),
  `one of ${values.join(", ")}`,
];

const LINE: Checks = {
  suite: TEXT,
  case: TEXT,
  phase: oneOf(...PHASES),
  backend: TEXT,
  device: TEXT,
  variant: TEXT,
  versions: TEXTS,
  machine: [isJsonObject, "an object"],
};
const MACHINE: Checks = {
  cpu: TEXT,
  threads: NUMBER,
  bandwidthBytesPerSecond: optional(NUMBER),
  flopsPerSecond: optional(NUMBER),
};
const FAILURE: Checks = { error: TEXT };
const MEASURED: Checks = { rounds: NUMBER, rooflineShare: NUMBER };
const TOKENS: Checks = {
  tokensPerSecond: SPREAD,
  millisecondsPerToken: NUMBER,
  parameters: NUMBER,
  bytesPerToken: orNull(NUMBER),
  overDense: orNull(SPREAD),
  context: optional(NUMBER),
};
const OP: Checks = { op: TEXT, milliseconds: SPREAD, intensity: NUMBER, flopsPerSecond: NUMBER };

/**
 * What keeps a line from being a `Result`, by the fields that are read; nothing where it is one. Other fields may be
 * there or not: the schema is stricter, but a report of older and newer lines should not be.
 */
export function problem(line: Readonly<Record<string, unknown>>): string | undefined {
  const first = failed(line, LINE, "") ?? failed(line.machine as Record<string, unknown>, MACHINE, "machine."); // LINE says that it is an object
  if (first !== undefined) return first;
  if ("error" in line) return failed(line, FAILURE, "");
  return failed(line, { ...MEASURED, ...(line.phase === "op" ? OP : TOKENS) }, "");
}

function failed(value: Readonly<Record<string, unknown>>, checks: Checks, prefix: string): string | undefined {
  const wrong = Object.entries(checks).find(([field, [is]]) => !is(value[field]));
  if (wrong === undefined) return undefined;
  const [field, [, what]] = wrong;
  const given = JSON.stringify(value[field]) ?? "missing";
  return `${prefix}${field} must be ${what}, and is ${given.slice(0, 60)}`;
}
