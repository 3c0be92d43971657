import { isJsonObject } from "@finegrain/graph";

/** What a run is for: to find a variant's rate on a part of the steps, or to be compared. */
export type StudyRole = "rate" | "whole";

/** A training run of a study that has ended: a line of the study's results. */
export interface StudyResult {
  readonly study: string;
  readonly variant: string;
  readonly role: StudyRole;
  /** The highest learning rate. */
  readonly rate: number;
  readonly seed: number;
  readonly steps: number;
  /** Targets of a step. */
  readonly tokensPerStep: number;
  readonly parameters: number;
  /** As the model was trained: on all of the held-out text, or on a part of it where the run is to find a rate. */
  readonly bitsPerByte: number;
  /** The same with every token by itself, as it decodes; absent where the run is to find a rate. */
  readonly bitsPerByteAsDecoded?: number;
  /** [steps done, bits per byte on a part of the held-out text] of every evaluation while it trained. */
  readonly curve: readonly (readonly [steps: number, bitsPerByte: number])[];
  /** Floating-point operations of a training step, over its tokens. */
  readonly flopsPerToken: number;
  /** Bytes of weights that a decode step of one token has to read. */
  readonly bytesPerToken: number;
  /** Of those, the feed-forward layers'. */
  readonly feedForwardBytesPerToken: number;
  /** Median of the run's own steps. Runs follow each other on a machine that others may use: not for comparing. */
  readonly secondsPerStep: number;
  readonly backend: string;
  /** Why it ran in place of a preferred one. */
  readonly fallback?: string;
  readonly versions: Readonly<Record<string, string>>;
}

const NUMBERS = [
  "rate",
  "seed",
  "steps",
  "tokensPerStep",
  "parameters",
  "bitsPerByte",
  "flopsPerToken",
  "bytesPerToken",
  "feedForwardBytesPerToken",
  "secondsPerStep",
] as const satisfies readonly (keyof StudyResult)[];

/** Whether a line of JSON is meant as a study's. */
export const isOfStudy = (value: Readonly<Record<string, unknown>>): boolean => "study" in value;

/** What keeps a line from being a {@link StudyResult}; nothing where it is one. */
export function studyProblem(value: Readonly<Record<string, unknown>>): string | undefined {
  for (const field of ["study", "variant", "backend"] as const)
    if (typeof value[field] !== "string") return `${field} must be a text, and is ${shown(value[field])}`;
  if (value.role !== "rate" && value.role !== "whole") return `role must be rate or whole, and is ${shown(value.role)}`;
  const numbers = value.role === "whole" ? [...NUMBERS, "bitsPerByteAsDecoded" as const] : NUMBERS;
  const wrong = numbers.find((field) => typeof value[field] !== "number");
  if (wrong !== undefined) return `${wrong} must be a number, and is ${shown(value[wrong])}`;
  const { curve } = value;
  const isPoint = (point: unknown) =>
    Array.isArray(point) && point.length === 2 && point.every((x) => typeof x === "number");
  if (!Array.isArray(curve) || !curve.every(isPoint))
    return `curve must be a list of pairs of numbers, and is ${shown(curve)}`;
  return isJsonObject(value.versions) ? undefined : `versions must be an object, and is ${shown(value.versions)}`;
}

const shown = (value: unknown): string => (JSON.stringify(value) ?? "missing").slice(0, 60);
