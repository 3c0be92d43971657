import { FinegrainError, jsonObject, parseJson } from "@finegrain/graph";
import { peerOfBeforeTheSchema } from "../peers/peer-line.ts";
import { isOfStudy, type StudyResult, studyProblem } from "../study/result.ts";
import type { Result } from "./result.ts";
import { problem } from "./result-problem.ts";

/** A line of the metrics that `finegrain train` writes: of a step, or of an evaluation after it. */
export type Metric = Readonly<Record<string, unknown>> & { readonly step: number };

/** What a file of JSON lines holds. */
export interface Evidence {
  readonly path: string;
  readonly results: readonly Result[];
  readonly metrics: readonly Metric[];
  /** Training runs of studies. */
  readonly studies: readonly StudyResult[];
}

/**
 * The results and training metrics in JSON lines: each line is recognised by what it says. Lines of before a field was added lack it.
 *
 * @param path of the file that they are from, for errors.
 * @throws FinegrainError where there is nothing, or a line is neither; names the file and the line.
 */
export function parseEvidence(text: string, path: string): Evidence {
  const [results, metrics, studies]: [Result[], Metric[], StudyResult[]] = [[], [], []];
  for (const [i, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const at = `${path}:${i + 1}`;
    const value = parsed(line, at);
    if (isMetric(value)) metrics.push(value);
    else if (isOfStudy(value)) studies.push(studyResult(value, at));
    else results.push(result(value, at));
  }
  if (results.length + metrics.length + studies.length === 0)
    throw new FinegrainError(`${path} is empty: it holds no result`);
  return { path, results, metrics, studies };
}

function parsed(line: string, at: string): Readonly<Record<string, unknown>> {
  return jsonObject(parseJson(line, at), at);
}

const isMetric = (value: Readonly<Record<string, unknown>>): value is Metric =>
  Number.isInteger(value.step) && !("variant" in value);

function studyResult(value: Readonly<Record<string, unknown>>, at: string): StudyResult {
  const wrong = studyProblem(value);
  if (wrong !== undefined) throw new FinegrainError(`${at} is not a study's result: ${wrong}`);
  return value as unknown as StudyResult; // `studyProblem` found none
}

function result(value: Readonly<Record<string, unknown>>, at: string): Result {
  const peer = peerOfBeforeTheSchema(value);
  if (peer !== undefined) return peer;
  if (!("suite" in value || "variant" in value))
    throw new FinegrainError(`${at} is neither a benchmark's result nor a step of a training run`);
  const wrong = problem(value);
  if (wrong !== undefined) throw new FinegrainError(`${at} is not a benchmark's result: ${wrong}`);
  return value as unknown as Result; // `problem` found none
}
