import { digits } from "../results/format.ts";
import { isMeasurement, type Measurement, type Result } from "../results/result.ts";
import { type Html, html } from "./html.ts";
import { intervalFigure } from "./interval-chart.ts";
import type { PaperTable } from "./paper.ts";
import { type Series, seriesKey } from "./series.ts";

const times = (value: number) => `${digits(value)}×`;

/** Each variant's speed over the dense one's beside what the paper says, for every suite that repeats one. */
export function speedUp(results: readonly Result[], series: readonly Series[], papers: readonly PaperTable[]): Html[] {
  return papers.flatMap((paper) => {
    const compared = results
      .filter(isMeasurement)
      .filter(({ suite, variant, overDense }) => suite === paper.suite && variant !== "dense" && overDense !== null);
    return compared.length === 0 ? [] : [chart(paper, compared, series), table(paper, compared, series)];
  });
}

const chart = (paper: PaperTable, results: readonly Measurement[], series: readonly Series[]) =>
  intervalFigure({
    title: `Decode speed-up: ${results[0]!.case}`,
    note: `Tokens/s over the dense model's of the same run; bars are 95 % bootstrap intervals. The upright stroke is what the paper says.`,
    axis: "times the dense model",
    series,
    values: results.flatMap((result) =>
      result.overDense === null ? [] : [{ group: result.variant, series: seriesKey(result), value: result.overDense }],
    ),
    reference: { name: "the paper, on its CPU", of: (variant) => paper.variants.get(variant)?.overDense },
    line: 1,
    shown: times,
  });

function table(paper: PaperTable, results: readonly Measurement[], series: readonly Series[]): Html {
  const used = series.filter(({ key }) => results.some((result) => seriesKey(result) === key));
  const variants = [...new Set(results.map(({ variant }) => variant))];
  const cell = (variant: string, key: string) =>
    results.findLast((result) => result.variant === variant && seriesKey(result) === key)?.overDense;
  const row = (variant: string) => {
    const said = paper.variants.get(variant)?.overDense;
    return html`<tr><th scope="row">${variant}</th><td>${said === undefined ? "–" : times(said)}</td>${used.map(
      ({ key }) => {
        const over = cell(variant, key);
        return html`<td>${over ? html`${times(over.median)} <small>${digits(over.low)} to ${digits(over.high)}</small>` : "–"}</td>`;
      },
    )}</tr>`;
  };
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Decode speed-up, ${paper.suite}, as a table">
<table>
<caption><span>Speed over dense with 95 % intervals. The paper: ${paper.source}.</span></caption>
<thead><tr><th scope="col">variant</th><th scope="col">the paper</th>${used.map(({ label }) => html`<th scope="col">${label}</th>`)}</tr></thead>
<tbody>${variants.map(row)}</tbody>
</table>
</div>
`;
}
