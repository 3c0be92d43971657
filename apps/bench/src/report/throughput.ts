import { isMeasurement, type Measurement, type Result } from "../results/result.ts";
import type { Html } from "./html.ts";
import { intervalFigure } from "./interval-chart.ts";
import { grouped, type Series, seriesKey } from "./series.ts";

/** Suites that vary one size: they have charts of their own. */
const SWEEPS = ["context", "scale"];

const WHAT = {
  decode: "Decode, one stream",
  prefill: "Prompts, until the first logits",
  train: "Training, whole steps",
  layer: "Training, one layer forwards and backwards",
} as const;

/** Tokens a second of every variant, a chart for each case. */
export function throughput(results: readonly Result[], series: readonly Series[]): Html[] {
  const measured = results.filter(isMeasurement).filter(({ suite }) => !SWEEPS.includes(suite));
  const cases = grouped(measured, (result) => JSON.stringify([result.phase, result.suite, result.case]));
  return [...cases.values()].toSorted(byPhase).map((group) => chart(group, series));
}

const PHASES = Object.keys(WHAT);
const byPhase = ([a]: readonly Measurement[], [b]: readonly Measurement[]) =>
  PHASES.indexOf(a!.phase) - PHASES.indexOf(b!.phase); // no group is empty

function chart(results: readonly Measurement[], series: readonly Series[]): Html {
  const [{ suite, case: name, phase }] = results as [Measurement]; // no group is empty
  return intervalFigure({
    title: `${suite}: ${name}`,
    note: `${WHAT[phase]}: tokens a second, the median of the rounds; bars are the middle half of them.`,
    axis: "tokens/s",
    series,
    values: results.map((result) => ({
      group: result.variant,
      series: seriesKey(result),
      value: result.tokensPerSecond,
    })),
  });
}
