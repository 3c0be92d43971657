import { basename } from "node:path";
import { isWide, type Spread } from "../measure/statistics.ts";
import type { Evidence } from "../results/evidence.ts";
import { bytes, count, digits, flopRate, percent } from "../results/format.ts";
import { isFailure, isMeasurement, type Measurement, type OpMeasurement, type Result } from "../results/result.ts";
import { type Html, html } from "./html.ts";
import { grouped, machineLabel } from "./series.ts";

interface Line {
  readonly result: Result;
  readonly file: string;
}

const NUMBERS = ["median", "middle half", "over dense (95 %)", "of the limit", "rounds", "parameters", "peak memory"];
const COLUMNS = ["backend", "machine", "variant", ...NUMBERS, "versions", "file"];

/** Every line of the files, the older ones for the same thing too, by suite and case. */
export function allResults(evidence: readonly Evidence[]): Html[] {
  const lines = evidence.flatMap(({ path, results }) => results.map((result) => ({ result, file: basename(path) })));
  if (lines.length === 0) return [];
  const cases = grouped(lines, ({ result: { suite, case: name, phase } }) => `${suite}: ${name} (${phase})`);
  const body = [...cases].map(
    ([name, group]) => html`<tbody>
<tr class="case"><th scope="rowgroup" colspan="${COLUMNS.length}"><span>${name}</span></th></tr>
${group.map(row)}</tbody>
`,
  );
  return [
    html`<div class="scroll" tabindex="0" role="region" aria-label="All results, a table">
<table class="all">
<caption><span>${lines.length} lines. Spread over more than 10 % of the median is marked “wide”: the machine was not quiet.</span></caption>
<thead><tr>${COLUMNS.map(heading)}</tr></thead>
${body}</table>
</div>
`,
  ];
}

const heading = (column: string) =>
  html`<th scope="col"${NUMBERS.includes(column) && html` class="number"`}>${column}</th>`;

function row({ result, file }: Line): Html {
  const said = [result.backend, machineLabel(result)].map((text) => html`<td>${text}</td>`);
  const variant = html`<th scope="row">${result.variant}</th>`;
  const from = html`<td>${versions(result)}</td><td>${file}</td>`;
  if (isFailure(result))
    return html`<tr class="failure">${said}${variant}<td colspan="${NUMBERS.length}">failed: ${result.error}</td>${from}</tr>
`;
  const cells = isMeasurement(result) ? tokenCells(result) : opCells(result);
  return html`<tr>${said}${variant}${cells.map((cell) => html`<td class="number">${cell}</td>`)}${from}</tr>
`;
}

const tokenCells = (result: Measurement): (string | Html)[] => [
  `${digits(result.tokensPerSecond.median)} tokens/s`,
  spread(result.tokensPerSecond),
  result.overDense === null ? "–" : `${digits(result.overDense.median)} (${range(result.overDense)})`,
  share(result.rooflineShare),
  `${result.rounds}`,
  count(result.parameters),
  memory(result),
];

const opCells = (result: OpMeasurement): (string | Html)[] => [
  `${digits(result.milliseconds.median)} ms, ${flopRate(result.flopsPerSecond)}`,
  spread(result.milliseconds),
  "–",
  share(result.rooflineShare),
  `${result.rounds}`,
  "–",
  memory(result),
];

const range = ({ low, high }: Spread) => `${digits(low)} to ${digits(high)}`;
const spread = (value: Spread) => html`${range(value)}${isWide(value) && html` <mark>wide</mark>`}`;
const share = (part: number) => (Number.isFinite(part) ? percent(part) : "–");

function memory({ peakMemoryBytes, machine }: Measurement | OpMeasurement): string {
  const peak = peakMemoryBytes ?? machine.peakMemoryBytes;
  return peak !== undefined && Number.isFinite(peak) ? bytes(peak) : "–";
}

const versions = ({ versions: of }: Result): string =>
  Object.entries(of)
    .map(([name, version]) => (name === "provider" ? version : `${name} ${version.replace(/^v/, "")}`))
    .join(", ");
