import { mean } from "../measure/statistics.ts";
import type { Measurement } from "../results/result.ts";
import type { StudyResult } from "./result.ts";

/** What a study found of one of its variants: the mean over its seeds, from the best to the worst. */
export interface VariantSummary {
  readonly name: string;
  readonly rate: number;
  readonly seeds: number;
  readonly steps: number;
  readonly parameters: number;
  readonly bitsPerByte: SeedSpread;
  readonly asDecoded: SeedSpread;
  /** Of bits per byte as decoded over the first variant's, less 1: 0.01 is 1 % more bits. */
  readonly overFirst: number;
  readonly bytesPerToken: number;
  readonly feedForwardBytesPerToken: number;
  readonly flopsPerToken: number;
  /** Of a training step, where the variants were measured in turns; else the median of the runs' own steps. */
  readonly secondsPerStep: number;
  /** Whether that was measured in turns. */
  readonly comparable: boolean;
  readonly tokensPerStep: number;
  /** Mean over the seeds: [steps done, bits per byte on a part of the held-out text]. */
  readonly curve: readonly (readonly [steps: number, bitsPerByte: number])[];
}

export interface SeedSpread {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/**
 * A study's whole runs by variant, in the order in which their results come.
 *
 * @param measured results of a suite that has the study's name and its variants: training steps measured in turns.
 */
export function summarize(results: readonly StudyResult[], measured: readonly Measurement[]): VariantSummary[] {
  const whole = results.filter(({ role }) => role === "whole");
  const names = [...new Set(whole.map(({ variant }) => variant))];
  const first = mean(whole.filter(({ variant }) => variant === names[0]).map(decodedBits));
  return names.map((name) => {
    const runs = whole.filter(({ variant }) => variant === name);
    const one = runs[0]!; // a name is of a run
    const training = measured.find(
      ({ variant, phase, suite }) => variant === name && phase === "train" && suite === one.study,
    );
    const asDecoded = spread(runs.map(decodedBits));
    return {
      name,
      rate: one.rate,
      seeds: runs.length,
      steps: one.steps,
      parameters: one.parameters,
      bitsPerByte: spread(runs.map((run) => run.bitsPerByte)),
      asDecoded,
      overFirst: asDecoded.mean / first - 1,
      bytesPerToken: one.bytesPerToken,
      feedForwardBytesPerToken: one.feedForwardBytesPerToken,
      flopsPerToken: one.flopsPerToken,
      secondsPerStep: training
        ? (training.millisecondsPerToken * one.tokensPerStep) / 1000
        : Math.min(...runs.map((run) => run.secondsPerStep)),
      comparable: training !== undefined,
      tokensPerStep: one.tokensPerStep,
      curve: one.curve.map(([step], i) => [step, mean(runs.flatMap((run) => run.curve[i]?.[1] ?? []))] as const),
    };
  });
}

/** Which results of whole runs have. */
const decodedBits = ({ bitsPerByteAsDecoded }: StudyResult): number => bitsPerByteAsDecoded!;

const spread = (values: readonly number[]): SeedSpread => ({
  mean: mean(values),
  low: Math.min(...values),
  high: Math.max(...values),
});
