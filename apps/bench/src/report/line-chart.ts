import * as Plot from "@observablehq/plot";
import { xAxis, yAxis } from "./axes.ts";
import { figure, type Key, type symbol } from "./chart.ts";
import type { Html } from "./html.ts";
import { tickLabel, ticks } from "./ticks.ts";

export interface Point {
  readonly x: number;
  readonly y: number;
  /** Of its interval, where it has one. */
  readonly low?: number;
  readonly high?: number;
  /** What it is, for who points at it. */
  readonly title?: string;
}

/** Points in the order of x, or one after the other. */
export interface Line {
  readonly points: readonly Point[];
  readonly colour: string;
  readonly dash?: string;
  /** Of its points; without it they are not drawn. */
  readonly symbol?: ReturnType<typeof symbol>;
  /** Whether there is only a point where something was measured. */
  readonly scattered?: boolean;
}

interface Axis {
  readonly label: string;
  readonly type: "linear" | "log";
  /** Whether it begins at 0. */
  readonly zero?: boolean;
}

export interface LineChart {
  readonly title: string;
  readonly note: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly lines: readonly Line[];
  readonly keys: readonly Key[];
}

/** Of a letter of a label, about. */
const LETTER = 8;

interface Drawn extends Point {
  readonly line: Line;
  readonly index: number;
}

/** Lines over two axes, their points with error bars. */
export const lineFigure = ({ title, note, keys, ...chart }: LineChart): Html =>
  figure({ title, note, keys, plot: (width) => plot(chart, width) });

function plot({ x, y, lines }: Pick<LineChart, "x" | "y" | "lines">, width: number): Plot.PlotOptions {
  const isNarrow = width < 500;
  const points = lines.flatMap((line, index) => line.points.map((point): Drawn => ({ ...point, line, index })));
  const xs = points.map((point) => point.x);
  const across = extent(xs, x);
  const up = extent(
    points.flatMap(({ y: at, low = at, high = at }) => [at, low, high]),
    y,
  );
  const marks = ({ type }: Axis, [low, high]: readonly [number, number], most: number, places?: readonly number[]) =>
    ticks({ low, high, logarithmic: type === "log" }, most, places);
  const xTicks = marks(x, across, isNarrow ? 5 : 8, xs);
  const yTicks = marks(y, up, 7);
  return {
    height: isNarrow ? 290 : 400,
    marginLeft: 48,
    marginRight: Math.max(14, (LETTER / 2) * tickLabel(across[1]).length + 4), // of the last label half is beyond the axis
    marginTop: 30,
    marginBottom: 44,
    style: { fontSize: "13px" },
    x: { type: x.type, domain: across, nice: x.type === "linear" },
    y: { type: y.type, domain: up, nice: y.type === "linear" },
    color: { type: "identity" },
    symbol: { type: "identity" },
    marks: [...xAxis(x.label, xTicks), ...yAxis(y.label, yTicks), ...lineMarks(lines, points)],
  };
}

function lineMarks(lines: readonly Line[], points: readonly Drawn[]): Plot.Markish[] {
  const drawn = points.filter(({ line }) => !line.scattered);
  const marked = points.filter(({ line }) => line.symbol !== undefined);
  const barred = points.filter(({ low, high }) => low !== undefined && high !== undefined);
  const stroke = ({ line }: Drawn) => line.colour;
  return [
    ...lines.flatMap((line, index) =>
      Plot.line(
        drawn.filter((point) => point.index === index),
        {
          x: "x",
          y: "y",
          stroke: line.colour,
          strokeWidth: 2,
          ...(line.dash !== undefined && { strokeDasharray: line.dash }),
        },
      ),
    ),
    Plot.ruleX(barred, { x: "x", y1: "low", y2: "high", stroke, strokeWidth: 1.5 }),
    Plot.dot(marked, {
      x: "x",
      y: "y",
      fill: stroke,
      symbol: ({ line }: Drawn) => line.symbol ?? "circle",
      r: 4.5,
      stroke: "var(--card)",
      strokeWidth: 1,
      title: ({ title }: Drawn) => title ?? "",
    }),
  ];
}

function extent(values: readonly number[], { type, zero }: Axis): [number, number] {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return type === "log" ? [low / 1.15, high * 1.15] : [zero ? 0 : low, high];
}
