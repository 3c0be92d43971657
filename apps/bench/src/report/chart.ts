import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { Html, html } from "./html.ts";

/** Inner widths in pixels for which every chart is drawn: the style sheet shows the one that fits the page. */
const WIDTHS = { narrow: 336, wide: 856 } as const;

const { document } = parseHTML("<!doctype html><html><body></body></html>");

/** How many colours there are before they begin again, and symbols, all those that a fill shows: the two together tell 56 apart. */
const COLOURS = 8;
const SYMBOLS = ["circle", "square", "triangle", "diamond", "cross", "star", "wye"] as const;

export const colour = (index: number): string => `var(--series-${index % COLOURS})`;
export const symbol = (index: number) => SYMBOLS[index % SYMBOLS.length]!;

/** A colour or a symbol of a chart, explained. */
export interface Key {
  readonly label: string;
  /** How it is drawn: as a point, as a line, or as the upright stroke of what is compared with. */
  readonly shape: "point" | "line" | "stroke";
  readonly colour: string;
  readonly symbol?: ReturnType<typeof symbol>;
  readonly dash?: string;
}

export interface Chart {
  readonly title: string;
  /** One sentence below the title: what is drawn, in what units, what the bars are. */
  readonly note: string;
  readonly keys: readonly Key[];
  /** The plot at this width; height, marks and scales. */
  readonly plot: (width: number) => Plot.PlotOptions;
}

/** A chart as a figure: its title, its keys, and the drawing at both widths, of which a page shows one. */
export function figure({ title, note, keys, plot }: Chart): Html {
  const drawings = Object.entries(WIDTHS).map(
    ([name, width]) =>
      html`<div class="drawing ${name}" role="img" aria-label="${title}. ${note}">${svg({ ...plot(width), width })}</div>`,
  );
  return html`<figure>
<figcaption><h3>${title}</h3><p>${note}</p></figcaption>
${keys.length > 0 && html`<ul class="keys">${keys.map((key) => html`<li>${swatch(key)}${key.label}</li>`)}</ul>`}
${drawings}
</figure>
`;
}

/** SVG text that takes its colours from the page, so that it is readable in the dark too. */
function svg(options: Plot.PlotOptions): Html {
  const drawn = Plot.plot({ ...options, document });
  drawn.querySelector("style")?.remove(); // it is the page's own, once
  drawn.setAttribute("aria-hidden", "true"); // what is around it says what it is
  return new Html(drawn.outerHTML);
}

const SWATCH = { width: 18, height: 14, middle: 7 } as const;

function swatch({ shape, colour: stroke, symbol: drawn, dash }: Key): Html {
  const { width, height, middle } = SWATCH;
  const lines = { stroke, strokeWidth: 2, ...(dash !== undefined && { strokeDasharray: dash }) };
  const line =
    shape === "stroke"
      ? Plot.ruleX([width / 2], { ...lines, y1: 0, y2: height })
      : Plot.ruleY([middle], { ...lines, x1: 0, x2: width });
  const point = Plot.dot([middle], {
    x: width / 2,
    y: middle,
    fill: stroke,
    r: 4,
    ...(drawn !== undefined && { symbol: drawn }),
  });
  return svg({
    width,
    height,
    margin: 0,
    axis: null,
    x: { domain: [0, width] },
    y: { domain: [height, 0] },
    marks: [...(shape === "point" ? [] : [line]), ...(shape === "point" || drawn !== undefined ? [point] : [])],
  });
}
