import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Backend, ranOn } from "@finegrain/graph";
import {
  CHECKPOINT_POINTERS,
  readText,
  runPaths,
  type Text,
  type TrainingListener,
  type TrainingOptions,
  train,
  usualSchedule,
} from "@finegrain/runs";
import { versions } from "../measure/machine.ts";
import { median } from "../measure/statistics.ts";
import { readEvidence } from "../results/evidence.ts";
import { modelFigures, stepFlops } from "./figures.ts";
import { runCount, runsToMake, type StudyRun } from "./plan.ts";
import type { StudyResult } from "./result.ts";
import type { Study } from "./study.ts";

/** Evaluations of a run while it trains: the points of its curve. */
const POINTS = 20;
/** Checkpoints of a run: what an interruption can lose is as much less. */
const CHECKPOINTS = 10;

export interface StudyOptions {
  readonly backend: Backend;
  /** Where the runs' folders are; a run that was interrupted goes on from its folder. */
  readonly folder: string;
  /** What has ended already: runs that it holds are not made again. */
  readonly results: readonly StudyResult[];
  /** An abort ends the run at hand with a checkpoint, and the study behind it. */
  readonly signal?: AbortSignal | undefined;
  /** Told before each run, and what it should be told while it trains. */
  onRun?(run: StudyRun, progress: { readonly ended: number; readonly of: number }): TrainingListener | undefined;
}

/**
 * Make the runs of a study that have not ended yet, one after the other; each result comes as its run ends.
 *
 * @throws FinegrainError where a model's config cannot be, or the text is too short.
 */
export async function* runStudy(study: Study, options: StudyOptions): AsyncGenerator<StudyResult, void, undefined> {
  const results = [...options.results];
  const text = await readText(study.data);
  for (;;) {
    const open = runsToMake(study, results);
    const [run] = open;
    if (run === undefined || options.signal?.aborted) return;
    const of = runCount(study);
    const listener = options.onRun?.(run, { ended: of - openCount(study, open), of });
    const result = await makeRun(study, run, text, { ...options, listener });
    if (result === undefined) return; // interrupted
    results.push(result);
    yield result;
  }
}

/** Runs that are open, those that are not known yet included: a variant whose rate is not found has all its seeds before it. */
function openCount(study: Study, open: readonly StudyRun[]): number {
  const unknown = study.variants.filter((variant) =>
    open.some((run) => run.role === "rate" && run.variant === variant),
  );
  return open.length + unknown.reduce((sum, { seeds }) => sum + seeds.length, 0);
}

interface RunOptions extends StudyOptions {
  readonly listener: TrainingListener | undefined;
}

/** @returns undefined where it was interrupted. */
async function makeRun(
  study: Study,
  run: StudyRun,
  data: Text,
  { backend, folder, signal, listener }: RunOptions,
): Promise<StudyResult | undefined> {
  const path = join(folder, folderName(run));
  const own = (await startedBefore(path))
    ? { resume: path }
    : { out: path, model: run.variant.model, training: trainingOf(study, run) };
  await using trained = await train({ backend, data, signal, ...own, ...listener });
  if (trained.outcome?.interrupted) return undefined;
  const { metrics } = await readEvidence(runPaths(path).metrics);
  const milliseconds = metrics.flatMap(({ milliseconds: time }) => (typeof time === "number" ? [time] : []));
  const tokensPerStep = study.training.batch * study.training.length;
  const { batch } = study.training;
  const evaluate = async (asDecoded: boolean) => (await trained.evaluate(undefined, { batch, asDecoded })).bitsPerByte;
  return {
    study: study.name,
    variant: run.variant.name,
    role: run.role,
    rate: run.rate,
    seed: run.seed,
    steps: run.steps,
    tokensPerStep,
    ...modelFigures(trained.config.model),
    // Rates are told apart by the part of the text that training looks at.
    ...(run.role === "rate"
      ? { bitsPerByte: trained.bitsPerByte! } // it was just evaluated
      : { bitsPerByte: await evaluate(false), bitsPerByteAsDecoded: await evaluate(true) }),
    curve: metrics.flatMap(({ step, heldOutBitsPerByte: bits }) =>
      typeof bits === "number" ? [[step + 1, bits] as const] : [],
    ),
    flopsPerToken: stepFlops(trained.model, study.training) / tokensPerStep,
    secondsPerStep: median(milliseconds) / 1000,
    ...ranOn(backend),
    versions: versions(backend),
  };
}

/** The folder of a run, by what it is. */
const folderName = ({ variant, role, rate, seed }: StudyRun): string =>
  `${variant.name.replace(/[^\w.-]+/g, "-")}-${role}-${rate}-${seed}`;

/** Whether an interrupted run left a checkpoint; a folder without one is begun anew. */
async function startedBefore(path: string): Promise<boolean> {
  const isThere = await stat(join(runPaths(path).checkpoints, CHECKPOINT_POINTERS.latest)).then(
    () => true,
    () => false,
  );
  if (!isThere) await rm(path, { recursive: true, force: true });
  return isThere;
}

/** How a run of a study is trained. */
export function trainingOf(
  { training }: Pick<Study, "training">,
  { rate, seed, steps }: Pick<StudyRun, "rate" | "seed" | "steps">,
): TrainingOptions {
  const { warmup: part, ...own } = training;
  const warmup = Math.min(steps - 1, Math.ceil(steps * part));
  return {
    ...own,
    steps,
    seed,
    schedule: usualSchedule({ steps, rate, warmup }),
    evaluateEvery: Math.ceil(steps / POINTS),
    checkpointEvery: Math.ceil(steps / CHECKPOINTS),
  };
}
