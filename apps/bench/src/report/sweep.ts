import { isMeasurement, type Measurement, type Result } from "../results/result.ts";
import { colour, type Key, symbol } from "./chart.ts";
import type { Html } from "./html.ts";
import { lineFigure } from "./line-chart.ts";
import { grouped, type Series, seriesKey } from "./series.ts";

interface Sweep {
  /** The suite that varies one size. */
  readonly suite: string;
  readonly title: string;
  readonly note: string;
  readonly axis: string;
  readonly size: (result: Measurement) => number | undefined;
}

/** Time of a token by the size that a suite varies: a line for each variant on each backend. */
export function sweep(
  { suite, title, note, axis, size }: Sweep,
  results: readonly Result[],
  series: readonly Series[],
): Html[] {
  const sized = results
    .filter(isMeasurement)
    .filter((result) => result.suite === suite)
    .flatMap((result) => {
      const x = size(result);
      return x === undefined ? [] : [{ result, x }];
    });
  if (sized.length === 0) return [];
  const variants = [...new Set(sized.map(({ result }) => result.variant))];
  const used = series.filter(({ key }) => sized.some(({ result }) => seriesKey(result) === key));
  const index = (key: string) => series.findIndex((one) => one.key === key);
  const lines = [...grouped(sized, ({ result }) => JSON.stringify([seriesKey(result), result.variant])).values()].map(
    (points) => {
      const { result } = points[0]!; // no group is empty
      return {
        colour: colour(index(seriesKey(result))),
        ...variantLook(variants, result.variant),
        points: points
          .map(({ result: { tokensPerSecond: speed, variant, backend }, x }) => ({
            x,
            y: 1000 / speed.median,
            low: 1000 / speed.high,
            high: 1000 / speed.low,
            title: `${variant} on ${backend}`,
          }))
          .sort((a, b) => a.x - b.x),
      };
    },
  );
  const keys = [
    ...used.map(({ label, key }): Key => ({ label, shape: "line", colour: colour(index(key)) })),
    ...variants.map(
      (label): Key => ({ label, shape: "line", colour: "var(--reference)", ...variantLook(variants, label) }),
    ),
  ];
  return [
    lineFigure({ title, note, x: { label: axis, type: "log" }, y: { label: "ms/token", type: "log" }, lines, keys }),
  ];
}

const DASHES = [undefined, "5 3", "2 3", "8 3 2 3"];

function variantLook(variants: readonly string[], variant: string) {
  const at = variants.indexOf(variant);
  const dash = DASHES[at % DASHES.length];
  return { symbol: symbol(at), ...(dash !== undefined && { dash }) };
}
