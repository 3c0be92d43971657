import * as Plot from "@observablehq/plot";
import type { Spread } from "../measure/statistics.ts";
import { digits } from "../results/format.ts";
import { xAxis } from "./axes.ts";
import { colour, figure, type Key, symbol } from "./chart.ts";
import type { Html } from "./html.ts";
import type { Series } from "./series.ts";
import { ticks } from "./ticks.ts";

/** One value of a series in a group, with its interval. */
export interface Interval {
  readonly group: string;
  readonly series: string;
  readonly value: Spread;
}

export interface IntervalChart {
  readonly title: string;
  readonly note: string;
  /** What the values are, with their unit: the title of the axis. */
  readonly axis: string;
  readonly series: readonly Series[];
  readonly values: readonly Interval[];
  /** What a group's values are compared with, called by its name in the keys. */
  readonly reference?: { readonly name: string; readonly of: (group: string) => number | undefined };
  /** A line through all groups. */
  readonly line?: number;
  readonly shown?: (value: number) => string;
}

const ROW = 18;
/** Of a group's title above its rows, and of the space below them. */
const TITLE = 20;
const GAP = 8;
/** Values farther apart than this are drawn on a logarithmic axis. */
const LOGARITHMIC = 40;
/** From this width on titles stand beside their rows. */
const BESIDE = 600;
/** Of a letter of a title, about. */
const LETTER = 7.6;

interface Row extends Interval {
  readonly y: number;
}
interface Group {
  readonly name: string;
  /** Where its title is, and the space that its rows take. */
  readonly title: number;
  readonly from: number;
  readonly to: number;
  readonly rows: readonly Row[];
}

/** Points with error bars: a group a variant, in it a row for every series that has a value, the number at its right. */
export function intervalFigure(chart: IntervalChart): Html {
  const { title, note, series, reference, values } = chart;
  const used = series.filter(({ key }) => values.some((value) => value.series === key));
  const keys = used.map(({ label, key }): Key => ({ label, shape: "point", ...look(series, key) }));
  const compared: Key[] = reference ? [{ label: reference.name, shape: "stroke", colour: "var(--reference)" }] : [];
  return figure({ title, note, keys: [...keys, ...compared], plot: (width) => plot(chart, width >= BESIDE) });
}

function look(series: readonly Series[], key: string) {
  const index = series.findIndex((one) => one.key === key);
  return { colour: colour(index), symbol: symbol(index) };
}

/** Groups below each other, in pixels. */
function layout({ values, series, reference }: IntervalChart, beside: boolean): { groups: Group[]; height: number } {
  let y = 0;
  const groups = [...new Set(values.map(({ group }) => group))].map((name): Group => {
    const rows = series.flatMap(({ key }) => values.filter((value) => value.group === name && value.series === key));
    const from = y + (beside ? 0 : TITLE);
    const to = from + ROW * Math.max(rows.length, reference?.of(name) === undefined ? 0 : 1);
    const title = beside ? (from + to) / 2 : y + TITLE / 2;
    y = to + GAP;
    return { name, title, from, to, rows: rows.map((row, i) => ({ ...row, y: from + ROW * (i + 0.5) })) };
  });
  return { groups, height: y };
}

function plot(chart: IntervalChart, beside: boolean): Plot.PlotOptions {
  const { groups, height } = layout(chart, beside);
  const titles = beside ? 16 + LETTER * Math.max(...groups.map(({ name }) => name.length)) : 8;
  const scale = horizontal(chart);
  const [right, top, bottom] = [54, 8, 42];
  return {
    height: height + top + bottom,
    marginLeft: titles,
    marginRight: right,
    marginTop: top,
    marginBottom: bottom,
    style: { fontSize: "13px" },
    x: { type: scale.logarithmic ? "log" : "linear", domain: [scale.low, scale.high], nice: !scale.logarithmic },
    y: { domain: [height, 0], axis: null },
    symbol: { type: "identity" },
    color: { type: "identity" },
    marks: [
      ...xAxis(chart.axis, ticks(scale, beside ? 7 : 5)),
      ...(chart.line === undefined
        ? []
        : [Plot.ruleX([chart.line], { stroke: "var(--reference)", strokeDasharray: "3 3" })]),
      Plot.text(groups, {
        ...{ y: "title", text: "name", frameAnchor: "left", textAnchor: "start", dx: beside ? 4 - titles : -6 },
        ...{ fontWeight: 600, stroke: "var(--card)", strokeWidth: 5, fill: "currentColor" },
      }),
      ...rowMarks(chart, groups, right),
    ],
  };
}

function horizontal({ values, reference, line }: IntervalChart) {
  const compared = [...new Set(values.map(({ group }) => group))].map((group) => reference?.of(group));
  const all = [...values.flatMap(({ value: { low, median, high } }) => [low, median, high]), ...compared, line].filter(
    (value) => value !== undefined,
  );
  const [least, most] = [Math.min(...all), Math.max(...all)];
  return least > 0 && most / least > LOGARITHMIC
    ? { logarithmic: true, low: least * 0.8, high: most * 1.2 }
    : { logarithmic: false, low: 0, high: most * 1.02 };
}

/** What is compared with, bars, points and numbers. */
function rowMarks({ series, reference, shown = digits }: IntervalChart, groups: readonly Group[], right: number) {
  const rows = groups.flatMap((group) => group.rows);
  const references = groups.flatMap(({ name, from, to }) => {
    const value = reference?.of(name);
    return value === undefined ? [] : [{ value, from: from + 1, to: to - 1 }];
  });
  const stroke = (row: Row) => look(series, row.series).colour;
  return [
    Plot.ruleX(references, { x: "value", y1: "from", y2: "to", stroke: "var(--reference)", strokeWidth: 3 }),
    Plot.ruleY(rows, { y: "y", x1: (row) => row.value.low, x2: (row) => row.value.high, stroke, strokeWidth: 2 }),
    Plot.dot(rows, {
      ...{ y: "y", x: (row: Row) => row.value.median, r: 4, fill: stroke },
      symbol: (row: Row) => look(series, row.series).symbol,
    }),
    Plot.text(rows, {
      ...{ y: "y", text: (row: Row) => shown(row.value.median), fontVariant: "tabular-nums" },
      ...{ frameAnchor: "right", textAnchor: "end", dx: right - 4 },
    }),
  ];
}
