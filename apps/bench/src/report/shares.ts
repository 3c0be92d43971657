import { percent } from "../results/format.ts";
import type { Measurement } from "../results/result.ts";
import { type Html, html } from "./html.ts";
import { grouped, type Series, seriesKey } from "./series.ts";

const LIMITS = {
  decode: "of the memory's bandwidth",
  prefill: "of the fp32 rate",
  train: "of its own matrix products, measured alone",
  layer: "of its own matrix products, measured alone",
} as const;

/** Shares of the limit as a table: a row a variant, a column a series, a bar behind every number. */
export function shares(results: readonly Measurement[], series: readonly Series[]): Html[] {
  const known = results.filter(({ rooflineShare }) => Number.isFinite(rooflineShare));
  if (known.length === 0) return [];
  const used = series.filter(({ key }) => known.some((result) => seriesKey(result) === key));
  const cases = grouped(known, ({ suite, case: name, phase }) => `${suite}: ${name}, ${LIMITS[phase]}`);
  const body = [...cases].map(
    ([name, group]) => html`<tbody>
<tr class="case"><th scope="rowgroup" colspan="${used.length + 1}"><span>${name}</span></th></tr>
${[...grouped(group, ({ variant }) => variant)].map(([variant, of]) => row(variant, of, used))}</tbody>
`,
  );
  return [
    html`<div class="scroll" tabindex="0" role="region" aria-label="Shares of the limit, a table">
<table class="shares">
<caption><span>Share of the limit that was reached, each of the same run.</span></caption>
<thead><tr><th scope="col">variant</th>${used.map(({ label }) => html`<th scope="col">${label}</th>`)}</tr></thead>
${body}</table>
</div>
`,
  ];
}

function row(variant: string, results: readonly Measurement[], used: readonly Series[]): Html {
  const cells = used.map(({ key }) => {
    const share = results.find((result) => seriesKey(result) === key)?.rooflineShare;
    if (share === undefined) return html`<td>–</td>`;
    return html`<td class="bar" style="--share: ${Math.min(100, Math.round(share * 100))}%">${percent(share)}</td>`;
  });
  return html`<tr><th scope="row">${variant}</th>${cells}</tr>
`;
}
