import type { Spread } from "../measure/statistics.ts";
import { BASELINE } from "../suites/suite.ts";
import { isFailure, isMeasurement, type Measurement, type OpMeasurement, type Result } from "./result.ts";

/**
 * How much a median has to differ, beside its interval, to be a change. Ratios to dense are of rounds that took turns;
 * speeds are of two runs, and so of two moments of a machine.
 */
export const MARGINS = { "over dense": 0.05, speed: 0.15 } as const;

export type Verdict = "faster" | "slower" | "same" | "fails now" | "works now";

/** A line of now beside the last one of before that measured the same. */
export interface Change {
  readonly now: Result;
  readonly before: Result;
  readonly verdict: Verdict;
  /** What was compared, where both were measured. A speed of before is as it would be at the machine's limits of now. */
  readonly compared?: { readonly what: keyof typeof MARGINS; readonly before: Spread; readonly now: Spread };
}

const keyOf = ({ suite, case: name, phase, backend, device, variant }: Result): string =>
  JSON.stringify([suite, name, phase, backend, device, variant]);

/** The last result of each thing that was measured. */
const lastOfEach = (results: readonly Result[]): ReadonlyMap<string, Result> =>
  new Map(results.map((result) => [keyOf(result), result]));

/**
 * What changed between two runs beyond their noise. Lines belong together by suite, case, phase, backend, device and
 * variant; the last earlier one counts. A variant's ratio to dense is compared where both runs have it; else, and for the
 * dense variant itself, its speed, where that of before is scaled by what the machine's own limit has changed (memory
 * bandwidth in decode, products alone in training, what binds in an operation). It is a change where the intervals (95 % of
 * a ratio, quartiles of a speed) do not overlap and the medians differ by more than the margin.
 *
 * @returns a change for every line of now that has an earlier one.
 */
export function compare(before: readonly Result[], now: readonly Result[]): Change[] {
  const earlier = lastOfEach(before);
  return now.flatMap((result) => {
    const matching = earlier.get(keyOf(result));
    return matching === undefined ? [] : [change(matching, result)];
  });
}

function change(before: Result, now: Result): Change {
  if (isFailure(now)) return { now, before, verdict: isFailure(before) ? "same" : "fails now" };
  if (isFailure(before)) return { now, before, verdict: "works now" };
  const compared = comparable(before, now);
  return { now, before, compared, verdict: verdictOf(compared) };
}

function comparable(before: Exclude<Result, { error: string }>, now: Exclude<Result, { error: string }>) {
  const isBaseline = now.variant === BASELINE; // its ratio to itself says nothing
  if (!isBaseline && isMeasurement(before) && isMeasurement(now) && before.overDense && now.overDense)
    return { what: "over dense", before: before.overDense, now: now.overDense } as const;
  const [then, today] = [limitOf(before), limitOf(now)];
  const scale = then > 0 && today > 0 ? today / then : 1;
  return { what: "speed", before: scaled(speedOf(before), scale), now: speedOf(now) } as const;
}

/** Units a second: tokens, or runs of an operation. */
function speedOf(result: Measurement | OpMeasurement): Spread {
  if (isMeasurement(result)) return result.tokensPerSecond;
  const { median, low, high } = result.milliseconds;
  return { median: 1000 / median, low: 1000 / high, high: 1000 / low };
}

/** The machine's limit that bounds what was measured, in its run; 0 where the line does not say. */
function limitOf(result: Measurement | OpMeasurement): number {
  const { bandwidthBytesPerSecond = 0, flopsPerSecond = 0, gemmFlopsPerSecond = 0 } = result.machine;
  if (isMeasurement(result)) {
    if (result.phase === "prefill") return flopsPerSecond;
    return result.phase === "decode" ? bandwidthBytesPerSecond : gemmFlopsPerSecond;
  }
  return result.intensity * bandwidthBytesPerSecond < flopsPerSecond ? bandwidthBytesPerSecond : flopsPerSecond;
}

const scaled = ({ median, low, high }: Spread, by: number): Spread => ({
  median: median * by,
  low: low * by,
  high: high * by,
});

function verdictOf({ what, before, now }: NonNullable<Change["compared"]>): Verdict {
  const margin = 1 + MARGINS[what];
  if (now.low > before.high && now.median > before.median * margin) return "faster";
  if (now.high < before.low && now.median * margin < before.median) return "slower";
  return "same";
}
