import { type Backend, FinegrainError, type KernelTime } from "@finegrain/graph";
import { type ModelConfig, type Storage, scalingLM } from "@finegrain/nn";
import { prepareBandwidth } from "./bandwidth.ts";
import { prepareDecode } from "./decode-case.ts";
import { prepareLayer } from "./layer-case.ts";
import { interleave } from "./method.ts";
import { WeightPool } from "./random-weights.ts";
import { recording } from "./recording.ts";
import { errorSentence, type ModelPhase, type Result } from "./result.ts";
import { results } from "./results.ts";
import type { Case, Measure, Suite, Variant } from "./suites.ts";
import { prepareTraining } from "./train-case.ts";
import type { Prepared } from "./variant.ts";

/** What a suite's run is doing. */
export interface Progress {
  readonly case: string;
  /** What is being done: compiled, measured. */
  readonly activity: string;
  /** Pieces of this case's work done, and in all, warm-up included. */
  readonly done: number;
  readonly of: number;
}

export interface RunOptions {
  readonly backend: Backend;
  /** The short form of every case. */
  readonly quick?: boolean;
  /** What decoded weights are kept in, where a variant does not say. Default "float32". */
  readonly storage?: Storage | undefined;
  /** Rounds to measure, instead of the suite's own number. */
  readonly rounds?: number | undefined;
  /** An abort ends the case at hand with the rounds that it has, and the suite behind it. */
  readonly signal?: AbortSignal | undefined;
  onProgress?(progress: Progress): void;
}

/** Run a suite's cases one after the other; results come as their case ends. */
export async function* runSuite(suite: Suite, options: RunOptions): AsyncGenerator<readonly Result[], void, undefined> {
  for (const entry of suite.cases) {
    if (options.signal?.aborted) return;
    yield await runCase(suite.name, entry, options);
  }
}

async function runCase(suite: string, entry: Case, options: RunOptions): Promise<Result[]> {
  const { backend, signal } = options;
  const base = options.quick ? entry.quick : entry.measure;
  const measure = { ...base, rounds: options.rounds ?? base.rounds };
  const report = (activity: string, done: number, of: number) =>
    options.onProgress?.({ case: entry.name, activity, done, of });
  using pool = new WeightPool(backend);
  await using bandwidth = await prepareBandwidth(backend);
  const { variants, failures } = await prepareAll(entry, measure, pool, { ...options, report });
  try {
    const samples = await interleave(
      [...variants, bandwidth].flatMap(({ contestants }) => contestants),
      { ...measure, signal, onRound: (done, of) => report("measuring", done, of) },
    );
    return results({
      suite,
      entry,
      backend,
      variants,
      failures,
      samples,
      bandwidth: bandwidth.best(samples),
    });
  } finally {
    for (const variant of variants) await variant[Symbol.asyncDispose]();
  }
}

interface PrepareOptions extends RunOptions {
  report(activity: string, done: number, of: number): void;
}

/** Compile every variant of a case; one that fails leaves its sentence. */
async function prepareAll(
  { phase, variants }: Case,
  measure: Measure,
  pool: WeightPool,
  options: PrepareOptions,
): Promise<{ variants: Prepared[]; failures: Map<string, string> }> {
  const { backend, signal, report, storage = "float32" } = options;
  const prepared: Prepared[] = [];
  const failures = new Map<string, string>();
  for (const [i, variant] of variants.entries()) {
    const { name } = variant;
    if (signal?.aborted) break;
    report(`compiling ${name}`, i, variants.length);
    try {
      prepared.push(await prepare(backend, pool, phase, { storage, ...variant }, measure));
    } catch (error) {
      failures.set(name, errorSentence(error));
    }
  }
  return { variants: prepared, failures };
}

function prepare(
  backend: Backend,
  pool: WeightPool,
  phase: ModelPhase,
  { name, model: json, storage = "float32" }: Variant,
  measure: Measure,
): Promise<Prepared> {
  const config = json as unknown as ModelConfig; // the layers and models refuse what is none
  switch (phase) {
    case "decode":
      return prepareDecode(backend, pool, name, scalingLM(config), { ...measure, storage });
    case "train":
      return prepareTraining(backend, name, scalingLM(config), measure);
    case "layer":
      return prepareLayer(backend, pool, name, config, measure);
  }
}

/** What a variant's time goes into. */
export interface Profile {
  readonly case: string;
  readonly variant: string;
  /** Milliseconds that a unit (a token, a step) took in all, timing included. */
  readonly milliseconds: number;
  /** In the program's order. */
  readonly kernels: readonly KernelTime[];
}

/**
 * Run a round of every variant with a clock on every kernel.
 * @throws FinegrainError where the backend cannot tell, or a variant cannot run.
 */
export async function* profileSuite(suite: Suite, options: RunOptions): AsyncGenerator<Profile, void, undefined> {
  for (const entry of suite.cases)
    for (const variant of entry.variants) {
      if (options.signal?.aborted) return;
      options.onProgress?.({ case: entry.name, activity: `timing ${variant.name}`, done: 0, of: 1 });
      const record = recording(options.backend, { profile: true });
      using pool = new WeightPool(options.backend);
      const { storage = "float32" } = options;
      const measure = options.quick ? entry.quick : entry.measure;
      await using prepared = await prepare(record.backend, pool, entry.phase, { storage, ...variant }, measure);
      const { round } = prepared.contestants[0]!; // the variant itself
      for (let warmup = 0; warmup < 2; warmup++) await round();
      record.kernels();
      const milliseconds = 1000 * (await round());
      const kernels = record.kernels();
      if (kernels.length === 0)
        throw new FinegrainError(`${options.backend.name} does not tell what its kernels take; wasm does`);
      yield { case: entry.name, variant: variant.name, milliseconds, kernels };
    }
}
