import { digits } from "../format.ts";
import { isMeasurement, type Measurement, type Result } from "../result.ts";
import { type Html, html } from "./html.ts";
import { intervalFigure } from "./interval-chart.ts";
import { PAPER, type PaperTable, paperSpeedUp } from "./paper.ts";
import { type Series, seriesKey } from "./series.ts";

const times = (value: number) => `${digits(value)}×`;

/** Each variant's speed over the dense one's beside what the paper's table says, for every row of that table. */
export function speedUp(results: readonly Result[], series: readonly Series[]): Html[] {
  return PAPER.flatMap((paper) => {
    const compared = results
      .filter(isMeasurement)
      .filter(({ suite, variant, overDense }) => suite === paper.suite && variant !== "dense" && overDense !== null);
    return compared.length === 0 ? [] : [chart(paper, compared, series), table(paper, compared, series)];
  });
}

const chart = (paper: PaperTable, results: readonly Measurement[], series: readonly Series[]) =>
  intervalFigure({
    title: `Decode speed-up, ${paper.model}`,
    note: `Tokens/s over the dense model's of the same run; bars are 95 % bootstrap intervals. The upright stroke is the paper's, from its table 1.`,
    axis: "times the dense model",
    series,
    values: results.flatMap((result) =>
      result.overDense === null ? [] : [{ group: result.variant, series: seriesKey(result), value: result.overDense }],
    ),
    reference: { name: "the paper, on its CPU", of: (variant) => paperSpeedUp(paper, variant) },
    line: 1,
    shown: times,
  });

function table(paper: PaperTable, results: readonly Measurement[], series: readonly Series[]): Html {
  const used = series.filter(({ key }) => results.some((result) => seriesKey(result) === key));
  const variants = [...new Set(results.map(({ variant }) => variant))];
  const cell = (variant: string, key: string) =>
    results.findLast((result) => result.variant === variant && seriesKey(result) === key)?.overDense;
  const row = (variant: string) => {
    const said = paperSpeedUp(paper, variant);
    return html`<tr><th scope="row">${variant}</th><td>${said === undefined ? "–" : times(said)}</td>${used.map(
      ({ key }) => {
        const over = cell(variant, key);
        return html`<td>${over ? html`${times(over.median)} <small>${digits(over.low)} to ${digits(over.high)}</small>` : "–"}</td>`;
      },
    )}</tr>`;
  };
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Decode speed-up, ${paper.model}, as a table">
<table>
<caption>Speed over dense, ${paper.model}, with 95 % intervals. The paper's dense model took ${digits(paper.seconds.dense ?? Number.NaN)} s ${paper.unit}.</caption>
<thead><tr><th scope="col">variant</th><th scope="col">the paper</th>${used.map(({ label }) => html`<th scope="col">${label}</th>`)}</tr></thead>
<tbody>${variants.map(row)}</tbody>
</table>
</div>
`;
}
