import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Backend, HostTensor } from "@finegrain/graph";
import { type LanguageModel, uploadWeights } from "@finegrain/nn";
import {
  bitsPerByte,
  checkRunConfig,
  type Listener,
  loadCorpus,
  openCheckpoint,
  openRun,
  openTokenizer,
  type RunConfig,
  runPaths,
  runTraining,
} from "@finegrain/runs";
import { type Corpus, createEvaluator, heldOutBatches } from "@finegrain/train";
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
  onRun?(run: StudyRun, progress: { readonly ended: number; readonly of: number }): Listener | undefined;
}

/**
 * Make the runs of a study that have not ended yet, one after the other; each result comes as its run ends.
 *
 * @throws FinegrainError where a model's config cannot be, or the text is too short.
 */
export async function* runStudy(study: Study, options: StudyOptions): AsyncGenerator<StudyResult, void, undefined> {
  const results = [...options.results];
  const corpus = await loadCorpus(study.data, await openTokenizer("byte"));
  for (;;) {
    const open = runsToMake(study, results);
    const [run] = open;
    if (run === undefined || options.signal?.aborted) return;
    const of = runCount(study);
    const listener = options.onRun?.(run, { ended: of - openCount(study, open), of });
    const result = await makeRun(study, run, corpus, { ...options, listener });
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
  readonly listener: Listener | undefined;
}

/** @returns undefined where it was interrupted. */
async function makeRun(
  study: Study,
  run: StudyRun,
  corpus: Corpus,
  { backend, folder, signal, listener }: RunOptions,
): Promise<StudyResult | undefined> {
  const config = configOf(study, run);
  const path = join(folder, folderName(run));
  const outcome = await runTraining({
    backend,
    config,
    folder: path,
    corpus,
    checkpoint: await startedBefore(path),
    signal,
    ...(listener && { listener }),
  });
  if (outcome.interrupted) return undefined;
  const { model, checkpoint } = await openRun(path);
  const weights = await checkpoint.readModel();
  const { metrics } = await readEvidence(runPaths(path).metrics);
  const milliseconds = metrics.flatMap(({ milliseconds: time }) => (typeof time === "number" ? [time] : []));
  const tokensPerStep = study.training.batch * study.training.length;
  const evaluate = (asDecoded: boolean) => evaluated({ backend, model, weights, corpus, asDecoded, ...study.training });
  return {
    study: study.name,
    variant: run.variant.name,
    role: run.role,
    rate: run.rate,
    seed: run.seed,
    steps: run.steps,
    tokensPerStep,
    ...modelFigures(run.variant.model),
    bitsPerByte: await evaluate(false),
    bitsPerByteAsDecoded: await evaluate(true),
    curve: metrics.flatMap(({ step, heldOutBitsPerByte: bits }) =>
      typeof bits === "number" ? [[step + 1, bits] as const] : [],
    ),
    flopsPerToken: stepFlops(model, study.training) / tokensPerStep,
    secondsPerStep: median(milliseconds) / 1000,
    backend: backend.name,
    versions: versions(backend),
  };
}

interface Evaluated {
  readonly backend: Backend;
  readonly model: LanguageModel;
  readonly weights: ReadonlyMap<string, HostTensor>;
  readonly corpus: Corpus;
  readonly batch: number;
  readonly length: number;
  /** Every token by itself, as it decodes. */
  readonly asDecoded: boolean;
}

/** Bits per byte on all of the held-out text. */
async function evaluated({ backend, model, weights, corpus, batch, length, asDecoded }: Evaluated): Promise<number> {
  const uploaded = uploadWeights(backend, model, weights, "float32");
  await using evaluator = createEvaluator({ backend, model, asDecoded });
  const sum = await evaluator.evaluate(uploaded, heldOutBatches(corpus.heldOut, { batch, length }));
  for (const buffer of uploaded.values()) buffer[Symbol.dispose]();
  return bitsPerByte(sum, corpus);
}

/** The folder of a run, by what it is. */
const folderName = ({ variant, role, rate, seed }: StudyRun): string =>
  `${variant.name.replace(/[^\w.-]+/g, "-")}-${role}-${rate}-${seed}`;

/** The checkpoint that an interrupted run left; a folder without one is begun anew. */
async function startedBefore(path: string) {
  const { checkpoints } = runPaths(path);
  const isThere = await stat(join(checkpoints, "latest")).then(
    () => true,
    () => false,
  );
  if (isThere) return openCheckpoint(checkpoints);
  await rm(path, { recursive: true, force: true });
  return undefined;
}

function configOf({ training, data }: Study, { variant, rate, seed, steps }: StudyRun): RunConfig {
  const { warmup, batch, length, optimizer, weightDecay, clipNorm } = training;
  return checkRunConfig(
    {
      model: variant.model,
      tokenizer: "byte",
      data,
      training: {
        steps,
        batch,
        length,
        accumulate: 1,
        optimizer,
        weightDecay,
        clipNorm,
        seed,
        schedule: {
          kind: "cosine",
          rate,
          warmup: Math.min(steps - 1, Math.ceil(steps * warmup)),
          steps,
          floor: rate / 10,
        },
        evaluateEvery: Math.ceil(steps / POINTS),
        checkpointEvery: Math.ceil(steps / CHECKPOINTS),
      },
    },
    `the run ${variant.name}`,
  );
}
