import { mean, median } from "../measure/statistics.ts";
import { type Evidence, type Metric, runName } from "../results/evidence.ts";
import { digits, whole } from "../results/format.ts";
import { colour, type Key } from "./chart.ts";
import { type Html, html } from "./html.ts";
import { lineFigure, type Point } from "./line-chart.ts";

interface Run {
  readonly name: string;
  readonly metrics: readonly Metric[];
}

/** Points of a curve at most: steps between them are averaged. */
const MOST_POINTS = 160;

/** Curves of training runs: loss, and what was held out where they measured that. */
export function training(evidence: readonly Evidence[]): Html[] {
  const runs = named(evidence.filter(({ metrics }) => metrics.length > 0));
  if (runs.length === 0) return [];
  return [
    ...curves(
      runs,
      "loss",
      "Training loss",
      "The mean of the steps around each point, in nats a token.",
      "loss",
      averaged,
    ),
    ...curves(
      runs,
      "heldOutBitsPerByte",
      "Held-out text",
      "Bits a byte of text that was not trained on.",
      "bits/byte",
      (points) => points,
    ),
    table(runs),
  ];
}

/** Runs by their folders; where two are called alike, by their paths. */
function named(evidence: readonly Evidence[]): Run[] {
  const names = evidence.map(({ path }) => runName(path));
  return evidence.map(({ path, metrics }, i) => {
    const name = names[i]!; // as many as files
    return { name: names.indexOf(name) === names.lastIndexOf(name) ? name : path, metrics };
  });
}

const pointsOf = ({ metrics }: Run, field: string): Point[] =>
  metrics.flatMap(({ step, [field]: y }) => (typeof y === "number" ? [{ x: step, y }] : []));

function averaged(points: readonly Point[]): Point[] {
  const width = Math.ceil(points.length / MOST_POINTS);
  return Array.from({ length: Math.ceil(points.length / width) }, (_, i) => {
    const bin = points.slice(i * width, (i + 1) * width);
    return { x: mean(bin.map(({ x }) => x)), y: mean(bin.map(({ y }) => y)) };
  });
}

function curves(
  runs: readonly Run[],
  field: string,
  title: string,
  note: string,
  label: string,
  of: (points: Point[]) => Point[],
): Html[] {
  const lines = runs
    .map((run, i) => ({
      colour: colour(i),
      name: run.name,
      points: of(pointsOf(run, field)),
      ...(field !== "loss" && { symbol: "circle" as const }),
    }))
    .filter(({ points }) => points.length > 0);
  if (lines.length === 0) return [];
  const keys = lines.map(({ name, colour: stroke }): Key => ({ label: name, shape: "line", colour: stroke }));
  return [
    lineFigure({
      title,
      note,
      x: { label: "step", type: "linear", zero: true },
      y: { label, type: "linear" },
      lines,
      keys,
    }),
  ];
}

function table(runs: readonly Run[]): Html {
  const rows = runs.map((run) => {
    const losses = pointsOf(run, "loss").map(({ y }) => y);
    const last = losses.slice(-Math.max(1, Math.floor(losses.length / 20)));
    const heldOut = pointsOf(run, "heldOutBitsPerByte").at(-1)?.y;
    const speeds = run.metrics.flatMap(({ tokens, milliseconds }) =>
      typeof tokens === "number" && typeof milliseconds === "number" && milliseconds > 0
        ? [(1000 * tokens) / milliseconds]
        : [],
    );
    const cells = [whole(losses.length), number(mean(last)), number(heldOut ?? Number.NaN), number(median(speeds))];
    return html`<tr><th scope="row">${run.name}</th>${cells.map((cell) => html`<td>${cell}</td>`)}</tr>
`;
  });
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Training runs, a table">
<table>
<caption><span>Where the runs ended: the loss is the mean of the last twentieth of the steps.</span></caption>
<thead><tr>${["run", "steps", "loss", "held-out bits/byte", "tokens/s"].map((column) => html`<th scope="col">${column}</th>`)}</tr></thead>
<tbody>${rows}</tbody>
</table>
</div>
`;
}

const number = (value: number) => (Number.isFinite(value) ? digits(value) : "–");
