import type { Backend } from "@finegrain/graph";
import type { Storage } from "@finegrain/nn";
import { prepareCase } from "../cases/prepare-case.ts";
import { WeightPool } from "../cases/random-weights.ts";
import { type LimitProbes, prepareLimits } from "../limits/prepare-limits.ts";
import type { OpenPeers } from "../peers/open.ts";
import { preparePeers } from "../peers/peer-case.ts";
import { errorSentence } from "../results/error-sentence.ts";
import type { ModelPhase, Result } from "../results/result.ts";
import { failed, results } from "../results/results.ts";
import { besideBaseline, type Case, type Measure, quickForm, type Suite } from "../suites/suite.ts";
import { watchMemory } from "./memory.ts";
import { interleave, type Rounds } from "./method.ts";

/** What a suite's run is doing. */
export interface Progress {
  readonly case: string;
  /** What is being done: compiled, measured. */
  readonly activity: string;
  /** Pieces of this case's work done, and in all, warm-up included. */
  readonly done: number;
  readonly of: number;
  /** The case's results as they would be if it ended now. */
  soFar(): readonly Result[];
}

export interface RunOptions {
  readonly backend: Backend;
  /** The short form of every case, with as many rounds as `QUICK_SECONDS` have room for where `rounds` does not say. */
  readonly quick?: boolean;
  /** What decoded weights are kept in, where a variant does not say. Default "float32". */
  readonly storage?: Storage | undefined;
  /** Other libraries that take turns with the variants; they belong to the one who opened them. */
  readonly peers?: Pick<OpenPeers, "all"> | undefined;
  /** Rounds to measure, tokens of prompts, and windows of training steps or streams that decode, instead of the suite's own numbers. */
  readonly rounds?: number | undefined;
  readonly prompt?: number | undefined;
  readonly batch?: number | undefined;
  /** An abort ends the case at hand with the rounds that it has, and the suite behind it. */
  readonly signal?: AbortSignal | undefined;
  onProgress?(progress: Progress): void;
}

/** What a quick run may take. Each case has its share, compiling included; what it leaves goes to those behind it. */
const QUICK_SECONDS = 40;

/** The phases whose measure has a size. */
const SIZED = { prompt: ["decode", "prefill"], batch: ["decode", "train", "layer"] } as const satisfies Partial<
  Record<keyof Measure, readonly ModelPhase[]>
>;

/** The cases of a suite as a run measures them. One that is measured at another size than the suite's says so in its name: it is another. */
export function casesOf(
  suite: Suite,
  { quick, rounds, ...sizes }: Pick<RunOptions, "quick" | "rounds" | "prompt" | "batch">,
): readonly Case[] {
  const { cases } = quick ? quickForm(suite) : suite;
  return cases.map((entry) => {
    const own = (["prompt", "batch"] as const).filter(
      (size) => sizes[size] !== undefined && SIZED[size].some((phase) => phase === entry.phase),
    );
    const given = Object.fromEntries(own.map((size) => [size, sizes[size]]));
    return {
      ...entry,
      name: [entry.name, ...own.map((size) => `${size} ${sizes[size]}`)].join(", "),
      measure: { ...entry.measure, ...(rounds !== undefined && { rounds }), ...given },
    };
  });
}

/**
 * Run a suite's cases one after the other; results come as their case ends. A variant, a case or a backend that fails is
 * a line of the results, and the run goes on.
 */
export async function* runSuite(suite: Suite, options: RunOptions): AsyncGenerator<readonly Result[], void, undefined> {
  const { backend, signal, quick } = options;
  const cases = casesOf(suite, options);
  const [first] = cases;
  if (first === undefined || signal?.aborted) return;
  const started = performance.now();
  options.onProgress?.({
    case: first.name,
    activity: "preparing the machine's limits",
    done: 0,
    of: 1,
    soFar: () => [],
  });
  let limits: LimitProbes;
  try {
    limits = await prepareLimits(backend);
  } catch (error) {
    for (const entry of cases) yield failed(suite.name, entry, backend, errorSentence(error));
    return;
  }
  await using _ = limits;
  for (const [i, entry] of cases.entries()) {
    if (signal?.aborted) return;
    const share = (i + 1) / cases.length;
    const until = quick && options.rounds === undefined ? started + 1000 * QUICK_SECONDS * share : undefined;
    yield await runCase(suite.name, entry, limits, { ...options, until }).catch((error) =>
      failed(suite.name, entry, backend, errorSentence(error)),
    );
  }
}

interface CaseOptions extends RunOptions {
  readonly until: number | undefined;
}

/**
 * All variants of a case side by side; then each that could not be made ready beside the others, which may have taken the
 * memory, beside the baseline alone, or without it where even they do not fit together.
 */
async function runCase(suite: string, entry: Case, limits: LimitProbes, options: CaseOptions): Promise<Result[]> {
  const together = await runTogether(suite, entry, limits, options);
  if (together.ready === 0) return together.results;
  const alone = { ...options, peers: undefined };
  const apart = new Map<string, Result>();
  for (const name of together.failed) {
    if (options.signal?.aborted) break;
    const { results: pair } = await runTogether(suite, besideBaseline(entry, name), limits, alone);
    for (const result of pair) if (result.variant === name) apart.set(name, result);
  }
  const isOurs = ({ backend }: Result) => backend === options.backend.name;
  return together.results.map((result) => (isOurs(result) && apart.get(result.variant)) || result);
}

interface Together {
  readonly results: Result[];
  /** Variants that could be made ready, and those that could not. */
  readonly ready: number;
  readonly failed: readonly string[];
}

async function runTogether(suite: string, entry: Case, limits: LimitProbes, options: CaseOptions): Promise<Together> {
  const { backend, signal, until, storage = "float32", peers = { all: [] } } = options;
  let soFar = (): Result[] => [];
  const report = (activity: string, done: number, of: number) =>
    options.onProgress?.({ case: entry.name, activity, done, of, soFar });
  const memory = watchMemory(backend);
  using pool = new WeightPool(backend);
  const { variants, failures } = await prepareCase(entry, { backend, pool, storage, signal, report });
  try {
    await using others = await preparePeers(peers, entry, { storage, signal, report });
    const resultsOf = (rounds: Rounds) => {
      const measured = { suite, entry, rounds, limits: limits.of(rounds) };
      const ours = results({ ...measured, backend, variants, failures, memory: memory.peak() });
      return [...ours, ...others.results(measured)];
    };
    const rounds = await interleave(
      [...variants, others, limits].flatMap(({ contestants }) => contestants),
      {
        ...entry.measure,
        until,
        signal,
        onRound(done, of, sofar) {
          memory.look();
          soFar = () => resultsOf(sofar);
          report("measuring", done, of);
        },
      },
    );
    return { results: resultsOf(rounds), ready: variants.length, failed: [...failures.keys()] };
  } finally {
    for (const variant of variants) await variant[Symbol.asyncDispose]();
  }
}
