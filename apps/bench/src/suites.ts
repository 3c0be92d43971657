import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { FinegrainError } from "@finegrain/graph";
import type { Storage } from "@finegrain/nn";
import { fields, isObject } from "./json-fields.ts";
import type { ModelPhase } from "./result.ts";

/** A model's config as parsed JSON: nn's `ModelConfig`, checked when the model is made. */
export type ModelJson = Readonly<Record<string, unknown>>;

/** How long a case is measured. */
export interface Measure {
  /** Decode: tokens in the cache before the first measured one. */
  readonly prompt: number;
  /** Decode: tokens that a round decodes. Training: optimizer steps of a round. Layer: passes of a round. */
  readonly units: number;
  readonly rounds: number;
  /** The most rounds of warm-up. */
  readonly warmup: number;
  /** Training: windows of a batch, and their length. */
  readonly batch: number;
  readonly length: number;
}

/** A model of a case. */
export interface Variant {
  readonly name: string;
  readonly model: ModelJson;
  /** Decode: what its weights are kept in. Default what the run says. */
  readonly storage?: Storage;
}

/** Models that are compared in one run, all at the same task. */
export interface Case {
  readonly name: string;
  readonly phase: ModelPhase;
  readonly variants: readonly Variant[];
  readonly measure: Measure;
  /** The same case in a form that ends within a minute. */
  readonly quick: Measure;
}

/** A file of benchmarks/suites. */
export interface Suite {
  readonly name: string;
  readonly title: string;
  readonly cases: readonly Case[];
}

const STORAGES: readonly Storage[] = ["float32", "float16", "int8"];

/** The variant that others are compared with. */
export const BASELINE = "dense";

const DEFAULTS: Measure = { prompt: 16, units: 1, rounds: 15, warmup: 5, batch: 1, length: 1 };

/** Where the suites that come with the package are: beside the build, or in the workspace where the sources run. */
function suiteFolder(): string {
  const built = fileURLToPath(new URL("./suites", import.meta.url));
  return existsSync(built) ? built : fileURLToPath(new URL("../../../benchmarks/suites", import.meta.url));
}

/** Names of the suites that come with the package. */
export async function suiteNames(): Promise<string[]> {
  const files = await readdir(suiteFolder());
  return files.filter((file) => file.endsWith(".json")).map((file) => file.slice(0, -".json".length));
}

/**
 * Load a suite: the name of one that comes with the package, or the path of a JSON file.
 *
 * @throws FinegrainError where there is none, or the file is not a suite (names the field).
 */
export async function loadSuite(nameOrPath: string): Promise<Suite> {
  const names = await suiteNames();
  const path = names.includes(nameOrPath) ? join(suiteFolder(), `${nameOrPath}.json`) : nameOrPath;
  const text = await readFile(path, "utf8").catch(() => {
    throw new FinegrainError(
      `there is no suite "${nameOrPath}": known are ${names.join(", ")}, or give the path of a suite's JSON file`,
    );
  });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new FinegrainError(`the suite ${path} is not JSON: ${(error as Error).message}`);
  }
  return parseSuite(value, path);
}

/**
 * A suite from parsed JSON.
 *
 * @param name how errors call the file.
 * @throws FinegrainError that names the missing, unknown or wrong field.
 */
export function parseSuite(value: unknown, name: string): Suite {
  const suite = fields(value, name, ["name", "title", "cases"], ["source"]);
  return {
    name: text(suite.name, `${name}: name`),
    title: text(suite.title, `${name}: title`),
    cases: list(suite.cases, `${name}: cases`).map((entry, i) => parseCase(entry, `${name}: cases[${i}]`)),
  };
}

function parseCase(value: unknown, name: string): Case {
  const entry = fields(value, name, ["name", "phase", "variants"], ["model", "measure", "quick"]);
  const phase = entry.phase;
  if (phase !== "train" && phase !== "decode" && phase !== "layer")
    throw new FinegrainError(`${name}: phase must be "train", "decode" or "layer", not ${JSON.stringify(phase)}`);
  const shared = entry.model === undefined ? {} : object(entry.model, `${name}: model`);
  const measure = parseMeasure(entry.measure, DEFAULTS, `${name}: measure`);
  const variants = list(entry.variants, `${name}: variants`).map((variant, i) => {
    const at = `${name}: variants[${i}]`;
    const given = fields(variant, at, ["name", "model"], ["storage"]);
    return {
      name: text(given.name, `${at}: name`),
      model: { ...shared, ...object(given.model, `${at}: model`) },
      ...(given.storage !== undefined && { storage: storage(given.storage, `${at}: storage`) }),
    };
  });
  const twice = variants.find(({ name: n }, i) => variants.findIndex((other) => other.name === n) !== i);
  if (twice) throw new FinegrainError(`${name}: two variants are called "${twice.name}"`);
  const quick = parseMeasure(entry.quick, measure, `${name}: quick`);
  return { name: text(entry.name, `${name}: name`), phase, variants, measure, quick };
}

function parseMeasure(value: unknown, otherwise: Measure, name: string): Measure {
  if (value === undefined) return otherwise;
  const given = fields(value, name, [], Object.keys(DEFAULTS));
  for (const [field, number] of Object.entries(given)) {
    const least = field === "warmup" ? 0 : 1;
    if (!Number.isInteger(number) || (number as number) < least)
      // the first half made sure that it is a number
      throw new FinegrainError(
        `${name}: ${field} must be a whole number of at least ${least}, not ${JSON.stringify(number)}`,
      );
  }
  return { ...otherwise, ...given };
}

function text(value: unknown, name: string): string {
  if (typeof value === "string" && value !== "") return value;
  throw new FinegrainError(`${name} must be a text, not ${JSON.stringify(value)}`);
}

function storage(value: unknown, name: string): Storage {
  const known = STORAGES.find((one) => one === value);
  if (known) return known;
  throw new FinegrainError(`${name} must be one of ${STORAGES.join(", ")}, not ${JSON.stringify(value)}`);
}

function list(value: unknown, name: string): readonly unknown[] {
  if (Array.isArray(value) && value.length > 0) return value;
  throw new FinegrainError(`${name} must be a list with at least one entry, not ${JSON.stringify(value)}`);
}

function object(value: unknown, name: string): ModelJson {
  if (isObject(value)) return value;
  throw new FinegrainError(`${name} must be an object, not ${JSON.stringify(value)}`);
}
