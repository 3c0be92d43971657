/*
 * A line plot as SVG text: what the benchmarks' figures are drawn with.
 */

const [WIDTH, HEIGHT] = [760, 440];
const MARGIN = { left: 64, right: 190, top: 16, bottom: 48 };
const COLOURS = ["#333333", "#7b61c9", "#d1495b", "#00798c", "#edae49", "#3d8b37", "#8d6e63", "#c06c84"];

/** Round numbers from `low` to `high`, about five. */
function ticks(low, high) {
  const raw = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= raw);
  const first = Math.ceil(low / step - 1e-9);
  return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, i) => (first + i) * step);
}

const shown = (value) => String(Number(value.toPrecision(6)));

/**
 * @param {{ x: string, y: string, lines: { name: string, points: [number, number][] }[], zero?: boolean }} plot
 *   titles of the axes; lines by name; whether the y axis begins at 0.
 */
export function linePlot({ x, y, lines, zero = false }) {
  const all = lines.flatMap(({ points }) => points);
  const extent = (i) => [Math.min(...all.map((point) => point[i])), Math.max(...all.map((point) => point[i]))];
  const [[x0, x1], [low, y1]] = [extent(0), extent(1)];
  const y0 = zero ? 0 : low;
  const [right, bottom] = [WIDTH - MARGIN.right, HEIGHT - MARGIN.bottom];
  const px = (value) => (MARGIN.left + ((value - x0) / (x1 - x0)) * (right - MARGIN.left)).toFixed(1);
  const py = (value) => (bottom - ((value - y0) / (y1 - y0)) * (bottom - MARGIN.top)).toFixed(1);
  const grid = [
    ...ticks(x0, x1).map(
      (tick) => `<text x="${px(tick)}" y="${bottom + 18}" text-anchor="middle">${shown(tick)}</text>`,
    ),
    ...ticks(y0, y1).flatMap((tick) => [
      `<line x1="${MARGIN.left}" y1="${py(tick)}" x2="${right}" y2="${py(tick)}" stroke="#dddddd"/>`,
      `<text x="${MARGIN.left - 8}" y="${py(tick)}" dy="4" text-anchor="end">${shown(tick)}</text>`,
    ]),
  ];
  const drawn = lines.flatMap(({ name, points }, i) => {
    const colour = COLOURS[i % COLOURS.length];
    const path = points.map(([u, v]) => `${px(u)},${py(v)}`).join(" ");
    const legend = MARGIN.top + 12 + 20 * i;
    return [
      `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>`,
      `<line x1="${right + 14}" y1="${legend - 4}" x2="${right + 36}" y2="${legend - 4}" stroke="${colour}" stroke-width="2"/>`,
      `<text x="${right + 42}" y="${legend}">${name}</text>`,
    ];
  });
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12" fill="#333333">`,
    `<title>${y} over ${x}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    ...grid,
    `<text x="${(MARGIN.left + right) / 2}" y="${HEIGHT - 8}" text-anchor="middle">${x}</text>`,
    `<text transform="translate(16 ${(MARGIN.top + bottom) / 2}) rotate(-90)" text-anchor="middle">${y}</text>`,
    ...drawn,
    "</svg>",
  ].join("\n")}\n`;
}
