import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { FinegrainError, type JsonObject, parseJson } from "@finegrain/graph";
import { equalParameters, type ModelConfig } from "@finegrain/nn";
import { fields } from "../results/json-fields.ts";
import { differentNames, list, object, oneOf, positiveNumber, text, wholeNumber } from "../suites/json-checks.ts";

/** How every run of a study is trained; its rate and its seed are its own. */
export interface StudyTraining {
  /** Optimizer steps of a whole run. */
  readonly steps: number;
  /** Windows of a batch. */
  readonly batch: number;
  /** Tokens of a window. */
  readonly length: number;
  readonly optimizer: "adamw" | "adafactor";
  readonly weightDecay: number;
  /** The largest norm of a gradient. */
  readonly clipNorm: number;
  /** Part of the steps in which the rate rises; a cosine takes it down to a tenth behind them. */
  readonly warmup: number;
}

/** A model of a study. */
export interface StudyVariant {
  readonly name: string;
  readonly model: ModelConfig;
  /** Rates to try on a part of the steps, or the one to train at. */
  readonly rates: readonly number[];
  readonly seeds: readonly number[];
  /** Optimizer steps of its whole runs. */
  readonly steps: number;
}

/** What is to be compared: models, trained alike, each at the rate that is best for it, with several seeds. */
export interface Study {
  readonly name: string;
  readonly title: string;
  /** A path, or "speeches". */
  readonly data: string;
  readonly training: StudyTraining;
  /** Part of the steps that a rate is tried for. */
  readonly tuning: number;
  readonly variants: readonly StudyVariant[];
}

const TRAINING: StudyTraining = {
  steps: 1000,
  batch: 32,
  length: 128,
  optimizer: "adamw",
  weightDecay: 0.1,
  clipNorm: 1,
  warmup: 0.1,
};

/**
 * Read a study's JSON file; its name is the file's.
 * @throws FinegrainError where there is none, or it is not a study (names the field).
 */
export async function loadStudy(path: string): Promise<Study> {
  const source = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    throw new FinegrainError(
      error.code === "ENOENT" ? `there is no study ${path}` : `cannot read the study ${path}: ${error.message}`,
    );
  });
  return parseStudy(parseJson(source, `the study ${path}`), path);
}

/**
 * A study from parsed JSON: `{ title, data?, model, training?, tuning?, rates, seeds, variants }`, where a variant is
 * `{ name, model?, equalTo?, rates?, seeds?, steps? }`. A variant's model is the shared one with its own fields over it;
 * with `equalTo` its `dFf` is the one that gives it as many parameters as that variant has.
 *
 * @param path how errors call the file, and where the study's name is from.
 * @throws FinegrainError that names the missing, unknown or wrong field.
 */
export function parseStudy(value: unknown, path: string): Study {
  const study = fields(value, path, ["title", "model", "rates", "seeds", "variants"], ["data", "training", "tuning"]);
  const training = parseTraining(study.training ?? {}, `${path}: training`);
  const shared: Shared = {
    model: { vocabulary: 256, maxLength: training.length, ...object(study.model, `${path}: model`) },
    rates: numbers(study.rates, `${path}: rates`, positiveNumber),
    seeds: numbers(study.seeds, `${path}: seeds`, (seed, at) => wholeNumber(seed, at, 0)),
    steps: training.steps,
  };
  const variants: StudyVariant[] = [];
  for (const [i, entry] of list(study.variants, `${path}: variants`).entries())
    variants.push(parseVariant(entry, `${path}: variants[${i}]`, shared, variants));
  differentNames(variants, path);
  return {
    name: basename(path).replace(/\.json$/, ""),
    title: text(study.title, `${path}: title`),
    data: study.data === undefined ? "speeches" : text(study.data, `${path}: data`),
    training,
    tuning: study.tuning === undefined ? 0.25 : part(study.tuning, `${path}: tuning`),
    variants,
  };
}

interface Shared extends Omit<StudyVariant, "name" | "model"> {
  readonly model: JsonObject;
}

function parseVariant(value: unknown, name: string, shared: Shared, before: readonly StudyVariant[]): StudyVariant {
  const given = fields(value, name, ["name"], ["model", "equalTo", "rates", "seeds", "steps"]);
  const own = { ...shared.model, ...(given.model === undefined ? {} : object(given.model, `${name}: model`)) };
  const model = own as unknown as ModelConfig; // the models and their layers refuse what is none
  return {
    name: text(given.name, `${name}: name`),
    model: given.equalTo === undefined ? model : equalTo(given.equalTo, `${name}: equalTo`, model, before),
    rates: given.rates === undefined ? shared.rates : numbers(given.rates, `${name}: rates`, positiveNumber),
    seeds:
      given.seeds === undefined
        ? shared.seeds
        : numbers(given.seeds, `${name}: seeds`, (seed, at) => wholeNumber(seed, at, 0)),
    steps: given.steps === undefined ? shared.steps : wholeNumber(given.steps, `${name}: steps`),
  };
}

function equalTo(value: unknown, name: string, model: ModelConfig, before: readonly StudyVariant[]): ModelConfig {
  const names = before.map((variant) => variant.name);
  if (names.length === 0) throw new FinegrainError(`${name}: there is no variant before it`);
  const other = before[names.indexOf(oneOf(names, value, name))]!; // it is one of them
  return equalParameters(other.model, model);
}

function parseTraining(value: unknown, name: string): StudyTraining {
  const given = fields(value, name, [], Object.keys(TRAINING));
  const { steps, batch, length, optimizer, weightDecay, clipNorm, warmup } = { ...TRAINING, ...given };
  return {
    steps: wholeNumber(steps, `${name}.steps`),
    batch: wholeNumber(batch, `${name}.batch`),
    length: wholeNumber(length, `${name}.length`),
    optimizer: oneOf(["adamw", "adafactor"] as const, optimizer, `${name}.optimizer`),
    weightDecay: weightDecay === 0 ? 0 : positiveNumber(weightDecay, `${name}.weightDecay`),
    clipNorm: positiveNumber(clipNorm, `${name}.clipNorm`),
    warmup: part(warmup, `${name}.warmup`),
  };
}

const numbers = (value: unknown, name: string, one: (value: unknown, name: string) => number): number[] =>
  list(value, name).map((entry, i) => one(entry, `${name}[${i}]`));

function part(value: unknown, name: string): number {
  if (positiveNumber(value, name) <= 1) return value as number; // a number, as the condition found
  throw new FinegrainError(`${name} must be above 0 and at most 1, not ${JSON.stringify(value)}`);
}
