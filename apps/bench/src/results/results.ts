import { type Backend, ranOn } from "@finegrain/graph";
import type { Prepared } from "../cases/variant.ts";
import type { Limits } from "../limits/limits.ts";
import { machine, versions } from "../measure/machine.ts";
import type { MemoryPeak } from "../measure/memory.ts";
import type { Rounds } from "../measure/method.ts";
import { isWide, ratio, type Spread } from "../measure/statistics.ts";
import { BASELINE, type Case } from "../suites/suite.ts";
import type { Failure, Line, ModelFigures, OpFigures, Result } from "./result.ts";

/** A case as far as its lines name it. */
export type Lines = Pick<Case, "name" | "phase"> & { readonly variants: readonly { readonly name: string }[] };

/** A case, and what its rounds gave so far. */
export interface MeasuredCase {
  readonly suite: string;
  readonly entry: Lines;
  readonly backend: NamedBackend;
  readonly variants: readonly Prepared[];
  /** Of variants that did not compile. */
  readonly failures: ReadonlyMap<string, string>;
  readonly rounds: Rounds;
  readonly limits: Limits;
  /** Left out where nobody watched it: a peer's. */
  readonly memory?: MemoryPeak;
}

/** A line for every variant of the case, in the suite's order; none for one that has no round yet. */
export function results(measured: MeasuredCase): Result[] {
  const { entry, variants, failures, rounds, limits } = measured;
  return entry.variants.flatMap(({ name }): Result[] => {
    const variant = variants.find((prepared) => prepared.name === name);
    // What is measured beside a variant belongs to it: without it there is no share.
    const error = failures.get(name) ?? variant?.contestants.map((c) => rounds.get(c.name)?.error).find(Boolean);
    if (error !== undefined) return [{ ...line(measured, name), error }];
    const count = rounds.get(name)?.seconds.length ?? 0;
    if (variant === undefined || count === 0) return [];
    return [measuredLine(measured, variant, variant.figures(rounds, limits))];
  });
}

/** A backend as far as lines name it; one that did not open has no more. */
export type NamedBackend = Pick<Backend, "name" | "device">;

/** A line for every variant of a case of which none could run. */
export const failed = (suite: string, entry: Lines, backend: NamedBackend, error: string): Failure[] =>
  entry.variants.map(({ name }) => ({ ...line({ suite, entry, backend }, name), error }));

type LineOf = Pick<MeasuredCase, "suite" | "entry" | "backend"> & { readonly limits?: Limits };

function line({ suite, entry, backend, limits }: LineOf, variant: string): Line {
  return {
    suite,
    case: entry.name,
    phase: entry.phase,
    ...ranOn(backend),
    device: backend.device.description,
    variant,
    versions: versions(backend),
    machine: machine(limits),
  };
}

/** The line of what has rounds. */
export function measuredLine(
  measured: LineOf & Pick<MeasuredCase, "rounds" | "memory">,
  variant: Pick<Prepared, "name" | "productRate">,
  figures: ModelFigures | OpFigures,
): Result {
  const { rounds } = measured;
  const { seconds } = rounds.get(variant.name)!;
  const { phase: _, ...common } = line(measured, variant.name);
  const rate = variant.productRate?.(rounds);
  const all = {
    ...common,
    rounds: seconds.length,
    ...(isWide(figures.phase === "op" ? figures.milliseconds : figures.tokensPerSecond) && { wide: true as const }),
    ...measured.memory,
    machine: { ...common.machine, ...(rate !== undefined && { gemmFlopsPerSecond: rate }) },
  };
  return figures.phase === "op"
    ? { ...all, ...figures }
    : { ...all, ...figures, overDense: overBaseline(rounds, seconds) };
}

/** Time of the dense one over this one's: both are seconds for as many tokens. */
function overBaseline(rounds: Rounds, seconds: readonly number[]): Spread | null {
  const baseline = rounds.get(BASELINE)?.seconds ?? [];
  return baseline.length > 0 ? ratio(baseline, seconds) : null;
}
