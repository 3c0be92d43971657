#!/usr/bin/env node
/*
 * Speed of one layer with finer and finer experts, at as many weights and as much arithmetic.
 *
 *   node scripts/granularity.mjs RESULTS.jsonl      from `finegrain bench train-layers --json`, into benchmarks/quality/
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { linePlot } from "./line-plot.mjs";

const CASE = "one layer at constant arithmetic, finer experts";
/** The grouped layer's variants are called by their experts: of this many at granularity 1. */
const GROUPED_EXPERTS = 16;

function pointOf({ variant, overDense }) {
  const finer = /^(.+), granularity (\d+)$/.exec(variant);
  if (finer) return { name: finer[1], point: [Number(finer[2]), overDense.median] };
  const grouped = /^(grouped), (\d+) experts$/.exec(variant);
  return grouped ? { name: grouped[1], point: [Number(grouped[2]) / GROUPED_EXPERTS, overDense.median] } : undefined;
}

const [, , path] = process.argv;
if (path === undefined) {
  console.error("usage: node scripts/granularity.mjs RESULTS.jsonl");
  process.exit(2);
}
const results = readFileSync(path, "utf8")
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line));
const lines = new Map();
for (const result of results.filter((line) => line.case === CASE && line.overDense)) {
  const found = pointOf(result);
  if (found) lines.set(found.name, [...(lines.get(found.name) ?? []), found.point]);
}
const folder = fileURLToPath(new URL("../benchmarks/quality", import.meta.url));
mkdirSync(folder, { recursive: true });
const drawn = [...lines].map(([name, points]) => ({ name, points }));
const plot = {
  x: "granularity: experts as many times finer",
  y: "tokens/s over dense, one layer",
  lines: drawn,
  zero: true,
};
writeFileSync(join(folder, "granularity.svg"), linePlot(plot));
