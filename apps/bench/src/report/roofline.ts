import { bytes, flopRate, percent } from "../results/format.ts";
import {
  isMeasurement,
  isOpMeasurement,
  type Measurement,
  type OpMeasurement,
  type Result,
} from "../results/result.ts";
import { colour, type Key, symbol } from "./chart.ts";
import type { Html } from "./html.ts";
import { type Line, lineFigure, type Point } from "./line-chart.ts";
import { grouped, type Series, seriesKey } from "./series.ts";
import { shares } from "./shares.ts";

/** How near to the machine's limits: decode by the bytes that it reads, operations by their intensity, and all as shares. */
export const roofline = (results: readonly Result[], series: readonly Series[]): Html[] => [
  ...decodeRoofline(results, series),
  ...opsRoofline(results, series),
  ...shares(results.filter(isMeasurement), series),
];

/** What was measured, drawn as a point below the roof of its series. */
interface Located {
  readonly series: string;
  /** What its symbol stands for. */
  readonly kind: string;
  readonly point: Point;
}

function scatter(
  located: readonly Located[],
  series: readonly Series[],
  roof: (key: string) => readonly Point[],
): { lines: Line[]; keys: Key[] } {
  const kinds = [...new Set(located.map(({ kind }) => kind))];
  const used = series.filter(({ key }) => located.some((one) => one.series === key));
  const colourOf = (key: string) => colour(series.findIndex((one) => one.key === key));
  const roofs = used.map(({ key }): Line => ({ colour: colourOf(key), points: roof(key) }));
  const points = [...grouped(located, (one) => JSON.stringify([one.series, one.kind])).values()].map((group): Line => {
    const { series: key, kind } = group[0]!; // no group is empty
    return {
      colour: colourOf(key),
      symbol: symbol(kinds.indexOf(kind)),
      scattered: true,
      points: group.map(({ point }) => point),
    };
  });
  const keys: Key[] = [
    ...used.map(({ label, key }): Key => ({ label, shape: "line", colour: colourOf(key) })),
    ...kinds.map(
      (label): Key => ({ label, shape: "point", colour: "var(--reference)", symbol: symbol(kinds.indexOf(label)) }),
    ),
  ];
  return { lines: [...roofs, ...points], keys };
}

/** The best that a series' machine reached in any of its runs. */
const best = (
  results: readonly Result[],
  key: string,
  limit: (machine: Result["machine"]) => number | undefined,
): number =>
  Math.max(0, ...results.filter((result) => seriesKey(result) === key).map(({ machine }) => limit(machine) ?? 0));

function decodeRoofline(results: readonly Result[], series: readonly Series[]): Html[] {
  const decoded = results
    .filter(isMeasurement)
    .filter(
      (result): result is Measurement & { bytesPerToken: number } =>
        result.phase === "decode" && result.bytesPerToken !== null,
    );
  if (decoded.length === 0) return [];
  const sizes = decoded.map(({ bytesPerToken }) => bytesPerToken / 1e6);
  const located = decoded.map(
    (result): Located => ({
      series: seriesKey(result),
      kind: result.variant,
      point: {
        x: result.bytesPerToken / 1e6,
        y: result.tokensPerSecond.median,
        low: result.tokensPerSecond.low,
        high: result.tokensPerSecond.high,
        title: `${result.suite}, ${result.variant} on ${result.backend}: ${percent(result.rooflineShare)} of the bandwidth`,
      },
    }),
  );
  const roof = (key: string): Point[] => {
    const bandwidth = best(decoded, key, (machine) => machine.bandwidthBytesPerSecond);
    if (bandwidth === 0) return [];
    return [Math.min(...sizes), Math.max(...sizes)].map((x) => ({
      x,
      y: bandwidth / (x * 1e6),
      title: `${bytes(bandwidth)}/s`,
    }));
  };
  return [
    lineFigure({
      title: "Decode under the memory's limit",
      note: "A line is as many tokens a second as the memory's bandwidth allows, measured in the same runs; a point is what a model reached, its bar the middle half of the rounds. Both axes are logarithmic.",
      x: { label: "MB read a token", type: "log" },
      y: { label: "tokens/s", type: "log" },
      ...scatter(located, series, roof),
    }),
  ];
}

function opsRoofline(results: readonly Result[], series: readonly Series[]): Html[] {
  const ops = results
    .filter(isOpMeasurement)
    .filter(({ intensity, flopsPerSecond }) => intensity > 0 && flopsPerSecond > 0);
  if (ops.length === 0) return [];
  const intensities = ops.map(({ intensity }) => intensity);
  const [least, most] = [Math.min(...intensities), Math.max(...intensities)];
  return [
    lineFigure({
      title: "Operations under the roof",
      note: "Arithmetic rate against intensity. A line is what the machine allows: the memory's bandwidth on its slope, the rate of its largest matrix product above. Both axes are logarithmic.",
      x: { label: "FLOP a byte", type: "log" },
      y: { label: "GFLOP/s", type: "log" },
      ...scatter(ops.map(locatedOp), series, (key) => opRoof(ops, key, least, most)),
    }),
  ];
}

const locatedOp = (result: OpMeasurement): Located => {
  const { low, high } = result.milliseconds;
  return {
    series: seriesKey(result),
    kind: result.op,
    point: {
      x: result.intensity,
      y: result.flopsPerSecond / 1e9,
      low: result.flops / high / 1e6,
      high: result.flops / low / 1e6,
      title: `${result.variant} on ${result.backend}: ${flopRate(result.flopsPerSecond)}, ${percent(result.rooflineShare)} of the limit`,
    },
  };
};

/** min(bandwidth · intensity, peak) with its ridge, in GFLOP/s; nothing where the run measured no limits. */
function opRoof(ops: readonly OpMeasurement[], key: string, least: number, most: number): Point[] {
  const bandwidth = best(ops, key, (machine) => machine.bandwidthBytesPerSecond);
  const peak = best(ops, key, (machine) => machine.flopsPerSecond);
  if (bandwidth === 0 || peak === 0) return [];
  const ridge = peak / bandwidth;
  const inside = ridge > least && ridge < most ? [ridge] : [];
  return [least, ...inside, most].map((x) => ({ x, y: Math.min(peak, bandwidth * x) / 1e9 }));
}
