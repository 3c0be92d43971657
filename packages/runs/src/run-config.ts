import { readFile } from "node:fs/promises";
import { FinegrainError, type JsonObject, jsonObject, parseJson, shownJson } from "@finegrain/graph";
import type { ModelConfig } from "@finegrain/nn";
import { parseSchedule, type ScheduleConfig } from "@finegrain/train";

/** Everything that a run was started with: a run folder's config.json. */
export interface RunConfig {
  readonly model: ModelConfig;
  /** "byte", or the path of a tokenizer.json; the run folder has a copy of that. */
  readonly tokenizer: string;
  /** A path, or "speeches": those that come with the command. */
  readonly data: string;
  readonly training: TrainingConfig;
}

export interface TrainingConfig {
  readonly steps: number;
  /** Windows of a batch. */
  readonly batch: number;
  /** Tokens of a window. */
  readonly length: number;
  /** Batches of one step. */
  readonly accumulate: number;
  readonly optimizer: "adamw" | "adafactor";
  readonly weightDecay: number;
  readonly schedule: ScheduleConfig;
  /** The largest norm of a gradient; 0 leaves it as it is. */
  readonly clipNorm: number;
  readonly seed: number;
  readonly evaluateEvery: number;
  readonly checkpointEvery: number;
}

const SECTIONS = ["model", "tokenizer", "data", "training"] as const;
/** The least value of every number of `training`; what is not here is checked by its own rule. */
const LEAST: Readonly<Record<string, { readonly least: number; readonly whole: boolean }>> = {
  steps: { least: 1, whole: true },
  batch: { least: 1, whole: true },
  length: { least: 1, whole: true },
  accumulate: { least: 1, whole: true },
  weightDecay: { least: 0, whole: false },
  clipNorm: { least: 0, whole: false },
  seed: { least: 0, whole: true },
  evaluateEvery: { least: 1, whole: true },
  checkpointEvery: { least: 1, whole: true },
};
const TRAINING = [...Object.keys(LEAST), "optimizer", "schedule"];

/** Parts of a config, as a file may give them. */
export type PartialConfig = {
  readonly [K in keyof RunConfig]?: RunConfig[K] extends object ? JsonObject : RunConfig[K];
};

/**
 * A config in parts, from a JSON file.
 *
 * @throws FinegrainError where the file is missing, no JSON, or has a section or field that is not known.
 */
export async function readPartialConfig(path: string): Promise<PartialConfig> {
  const text = await readFile(path, "utf8").catch((error: Error) => {
    throw new FinegrainError(`cannot read the config ${path}: ${error.message}`);
  });
  const config = jsonObject(parseJson(text, `the config ${path}`), path);
  known(config, SECTIONS, path);
  for (const name of ["model", "training"] as const)
    if (config[name] !== undefined) jsonObject(config[name], `${path}: ${name}`);
  for (const name of ["tokenizer", "data"] as const)
    if (config[name] !== undefined && typeof config[name] !== "string")
      throw new FinegrainError(`${path}: ${name} must be a text, not ${shownJson(config[name])}`);
  known(jsonObject(config.training ?? {}, path), TRAINING, `${path}: training`);
  return config as PartialConfig; // its sections were just checked
}

/**
 * Make sure that a config is whole and its numbers can be. The model's own part is checked when the model is made.
 *
 * @param name what to call the config in errors.
 * @throws FinegrainError that names the field.
 */
export function checkRunConfig(value: unknown, name: string): RunConfig {
  const config = jsonObject(value, name);
  for (const section of SECTIONS)
    if (config[section] === undefined) throw new FinegrainError(`${name} has no ${section}`);
  const training = jsonObject(config.training, `${name}: training`);
  for (const [field, { least, whole }] of Object.entries(LEAST)) {
    const number = training[field];
    const fits = whole ? Number.isSafeInteger(number) : Number.isFinite(number);
    if (!fits || (number as number) < least)
      // a number, as the line before made sure
      throw new FinegrainError(
        `${name}: training.${field} must be a ${whole ? "whole " : ""}number of at least ${least}, not ${shownJson(number)}`,
      );
  }
  if (training.optimizer !== "adamw" && training.optimizer !== "adafactor")
    throw new FinegrainError(
      `${name}: training.optimizer must be adamw or adafactor, not ${shownJson(training.optimizer)}`,
    );
  parseSchedule(training.schedule);
  return config as unknown as RunConfig; // field by field, above
}

function known(value: JsonObject, fields: readonly string[], name: string): void {
  const unknown = Object.keys(value).find((field) => !fields.includes(field));
  if (unknown !== undefined)
    throw new FinegrainError(`${name} has an unknown field "${unknown}": known are ${fields.join(", ")}`);
}
