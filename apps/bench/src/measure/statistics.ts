import { philox } from "@finegrain/graph";

/** A middle value with the range around it. */
export interface Spread {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/**
 * The value below which a fraction `at` of the samples lies, linear between neighbours (R's type 7).
 * NaN where there are no samples.
 */
export function quantile(samples: readonly number[], at: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const position = at * (sorted.length - 1);
  const below = Math.floor(position);
  const lower = sorted[below];
  if (lower === undefined) return Number.NaN;
  return lower + (position - below) * ((sorted[below + 1] ?? lower) - lower);
}

export const mean = (samples: readonly number[]): number =>
  samples.reduce((sum, sample) => sum + sample, 0) / samples.length;

export const median = (samples: readonly number[]): number => quantile(samples, 0.5);

/** The median with the interquartile range. */
export const interquartile = (samples: readonly number[]): Spread => ({
  median: median(samples),
  low: quantile(samples, 0.25),
  high: quantile(samples, 0.75),
});

/**
 * Ratio of two medians, median(numerator) / median(denominator), with its 95 % bootstrap interval (Efron and Tibshirani,
 * "An Introduction to the Bootstrap", 1993, section 13.3). The two were measured round by round: a resample draws rounds,
 * so that what disturbed a round disturbs both. The draws are fixed, so that equal samples give equal intervals.
 */
export function ratio(
  numerator: readonly number[],
  denominator: readonly number[],
  { resamples = 2000 }: { readonly resamples?: number } = {},
): Spread {
  const rounds = Math.min(numerator.length, denominator.length);
  const bits = philox([rounds, resamples], [0, BOOTSTRAP_DRAW], rounds * resamples);
  const ratios = Array.from({ length: resamples }, (_, k) => {
    const drawn = Array.from({ length: rounds }, (_, r) => (bits[k * rounds + r]! >>> 0) % rounds);
    return median(drawn.map((r) => numerator[r]!)) / median(drawn.map((r) => denominator[r]!));
  });
  return {
    median: median(numerator.slice(0, rounds)) / median(denominator.slice(0, rounds)),
    low: quantile(ratios, 0.025),
    high: quantile(ratios, 0.975),
  };
}

/** Second counter word of the bootstrap's draws. */
const BOOTSTRAP_DRAW = 0x626f6f74;

/** Whether the middle half of the samples is spread over more than `most` of their median: the machine was not quiet. */
export const isWide = ({ median, low, high }: Spread, most = 0.1): boolean => !(high - low <= most * median);
