import * as Plot from "@observablehq/plot";
import { tickLabel } from "./ticks.ts";

const GRID = { stroke: "var(--rule)", strokeOpacity: 1 } as const;

/** Upright lines and the numbers below them: as many, or at these places. */
export const xAxis = (label: string, ticks: number | number[]): Plot.Markish[] =>
  typeof ticks === "number"
    ? [Plot.gridX({ ticks, ...GRID }), Plot.axisX({ ticks, label, ...BELOW })]
    : [Plot.gridX(ticks, GRID), Plot.axisX(ticks, { label, ...BELOW })];

/** Level lines and the numbers beside them. */
export const yAxis = (label: string, ticks: number | number[]): Plot.Markish[] =>
  typeof ticks === "number"
    ? [Plot.gridY({ ticks, ...GRID }), Plot.axisY({ ticks, label, ...BESIDE })]
    : [Plot.gridY(ticks, GRID), Plot.axisY(ticks, { label, ...BESIDE })];

const NUMBERS = { labelArrow: "none", text: tickLabel, tickFormat: tickLabel } as const;
const BELOW = { ...NUMBERS, labelAnchor: "right", labelOffset: 38, tickSize: 3 } as const;
const BESIDE = { ...NUMBERS, tickSize: 0 } as const;
