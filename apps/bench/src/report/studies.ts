import type { Evidence } from "../results/evidence.ts";
import { bytes, count, percent } from "../results/format.ts";
import { isMeasurement } from "../results/result.ts";
import { type SeedSpread, summarize, type VariantSummary } from "../study/summary.ts";
import { colour, type Key, symbol } from "./chart.ts";
import { type Html, html } from "./html.ts";
import { lineFigure, type Point } from "./line-chart.ts";
import { grouped } from "./series.ts";

/** Studies of quality: what models learn at equal steps, seconds and arithmetic, and what a token of them reads. */
export function studies(evidence: readonly Evidence[]): Html[] {
  const results = evidence.flatMap((file) => file.studies);
  const measured = evidence.flatMap((file) => file.results).filter(isMeasurement);
  return [...grouped(results, ({ study }) => study)].flatMap(([name, own]) => {
    const variants = summarize(own, measured);
    return variants.length === 0 ? [] : [...curves(name, variants), byBytes(name, variants), table(name, variants)];
  });
}

/** The axes along which a curve can be drawn, by what a step costs there. */
const AXES = [
  { by: "steps", label: "steps", of: () => 1 },
  { by: "seconds", label: "seconds of training", of: ({ secondsPerStep }: VariantSummary) => secondsPerStep },
  {
    by: "arithmetic",
    label: "floating-point operations of training",
    of: ({ flopsPerToken, tokensPerStep }: VariantSummary) => flopsPerToken * tokensPerStep,
  },
] as const;

function curves(study: string, variants: readonly VariantSummary[]): Html[] {
  return AXES.filter(({ by }) => by !== "seconds" || variants.every(({ comparable }) => comparable)).map(
    ({ by, label, of }) => {
      const lines = variants.map((variant, i) => ({
        colour: colour(i),
        symbol: symbol(i),
        points: variant.curve.map(([step, bits]): Point => ({ x: step * of(variant), y: bits, title: variant.name })),
      }));
      return lineFigure({
        title: `${study}: by ${by}`,
        note: "Bits per byte on a part of the held-out text, the mean of the seeds. Both axes are logarithmic.",
        x: { label, type: "log" },
        y: { label: "bits/byte", type: "log" },
        lines,
        keys: variants.map(
          ({ name }, i): Key => ({ label: name, shape: "line", colour: colour(i), symbol: symbol(i) }),
        ),
      });
    },
  );
}

/** Whether a variant is dense, by its name: those make the line that the others are held against. */
const isDense = ({ name }: VariantSummary): boolean => /^dense\b/.test(name);

function byBytes(study: string, variants: readonly VariantSummary[]): Html {
  const point = ({ name, bytesPerToken, asDecoded }: VariantSummary): Point => ({
    x: bytesPerToken,
    y: asDecoded.mean,
    low: asDecoded.low,
    high: asDecoded.high,
    title: name,
  });
  const dense = variants
    .filter(isDense)
    .map(point)
    .sort((a, b) => a.x - b.x);
  const others = variants.filter((variant) => !isDense(variant));
  const look = (i: number) => ({ colour: colour(i + 1), symbol: symbol(i + 1) });
  return lineFigure({
    title: `${study}: by bytes read for a token`,
    note: "Bits per byte on all of the held-out text, as decoded: the mean of the seeds, from the best to the worst. Lower and further left is better.",
    x: { label: "bytes of weights a token", type: "log" },
    y: { label: "bits/byte", type: "log" },
    lines: [
      { points: dense, colour: colour(0), symbol: symbol(0) },
      ...others.map((variant, i) => ({ points: [point(variant)], ...look(i) })),
    ],
    keys: [
      { label: "dense", shape: "line", colour: colour(0), symbol: symbol(0) },
      ...others.map(({ name }, i): Key => ({ label: name, shape: "point", ...look(i) })),
    ],
  });
}

const COLUMNS = [
  "variant",
  "parameters",
  "rate",
  "seeds",
  "bits/byte",
  "as decoded",
  "to the first",
  "bytes a token",
  "of them feed-forward",
  "s/step",
];

function table(study: string, variants: readonly VariantSummary[]): Html {
  const rows = variants.map((variant) => {
    const cells = [
      count(variant.parameters),
      `${variant.rate}`,
      `${variant.seeds}`,
      seeds(variant.bitsPerByte),
      seeds(variant.asDecoded),
      signed(variant.overFirst),
      bytes(variant.bytesPerToken),
      bytes(variant.feedForwardBytesPerToken),
      variant.comparable ? variant.secondsPerStep.toFixed(3) : "–",
    ];
    return html`<tr><th scope="row">${variant.name}</th>${cells.map((cell) => html`<td>${cell}</td>`)}</tr>
`;
  });
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${study}, a table">
<table>
<caption><span>${study}: all of the held-out text, the mean of the seeds, from the best to the worst.</span></caption>
<thead><tr>${COLUMNS.map((column) => html`<th scope="col">${column}</th>`)}</tr></thead>
<tbody>${rows}</tbody>
</table>
</div>
`;
}

const seeds = ({ mean, low, high }: SeedSpread): string =>
  low === high ? mean.toFixed(4) : `${mean.toFixed(4)} (${low.toFixed(4)} to ${high.toFixed(4)})`;

const signed = (part: number): string => `${part < 0 ? "−" : "+"}${percent(Math.abs(part))}`;
