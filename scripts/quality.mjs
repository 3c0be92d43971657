#!/usr/bin/env node
/*
 * How well feed-forward layers learn, at equal steps and at equal time.
 *
 *   node scripts/quality.mjs train FOLDER     train every variant of the suite "quality" with every seed, into FOLDER
 *   node scripts/quality.mjs report FOLDER SPEEDS.jsonl
 *                                             write benchmarks/quality/ from FOLDER and from `finegrain bench quality --json`
 *
 * Runs that are complete are left as they are, so that an interrupted `train` goes on. Seconds are a run's steps at the speed
 * that the bench measured, variants taking turns: runs that come one after the other on a shared machine would not compare.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { linePlot } from "./line-plot.mjs";

const SEEDS = [1, 2, 3];
const STEPS = 500;
/** Where the README has the table. */
const TABLE = /^\| feed-forward (?:.*\n\|)*.*\n/m;
const EVALUATE_EVERY = 50;
const TRAINING = {
  steps: STEPS,
  accumulate: 1,
  optimizer: "adamw",
  weightDecay: 0.1,
  schedule: { kind: "inverse-square-root", rate: 0.005, warmup: 50 },
  clipNorm: 1,
  evaluateEvery: EVALUATE_EVERY,
  checkpointEvery: STEPS,
};

const root = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const finegrain = (...args) =>
  execFileSync(process.execPath, [root("packages/finegrain/dist/main.js"), ...args], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });

const [{ model, variants, measure }] = JSON.parse(readFileSync(root("benchmarks/suites/quality.json"), "utf8")).cases;
const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
const range = (values) =>
  `${mean(values).toFixed(3)} (${Math.min(...values).toFixed(3)} to ${Math.max(...values).toFixed(3)})`;

const [, , command, folder, speeds] = process.argv;
if (command === "train" && folder) train(folder);
else if (command === "report" && folder && speeds) report(folder, speeds);
else {
  console.error("usage: node scripts/quality.mjs train FOLDER | report FOLDER SPEEDS.jsonl");
  process.exitCode = 2;
}

function train(into) {
  mkdirSync(into, { recursive: true });
  for (const seed of SEEDS) for (const variant of variants) trainOne(into, variant, seed);
}

function trainOne(into, { name, model: own }, seed) {
  const run = join(into, `${name}-${seed}`);
  if (existsSync(`${run}.evaluated.json`)) return;
  rmSync(run, { recursive: true, force: true }); // what an interruption left
  const config = `${run}.config.json`;
  const { batch, length } = measure;
  writeFileSync(config, JSON.stringify({ model: { ...model, ...own }, training: { ...TRAINING, batch, length } }));
  finegrain("train", "--config", config, "--seed", `${seed}`, "--length", `${length}`, "--out", run);
  const evaluated = [[], ["--as-decoded"]].map((flags) => {
    const json = finegrain("evaluate", run, "--batch", `${batch}`, "--json", ...flags);
    return JSON.parse(json).bitsPerByte;
  });
  writeFileSync(`${run}.evaluated.json`, JSON.stringify({ asTrained: evaluated[0], asDecoded: evaluated[1] }));
  console.log(`${name}, seed ${seed}: ${evaluated.map((bits) => bits.toFixed(4)).join(", as decoded ")} bits per byte`);
}

/** [step, bits per byte] of every evaluation. */
function curve(run) {
  const records = readFileSync(join(run, "metrics.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  return records.flatMap(({ step, heldOutBitsPerByte: bits }) => (bits === undefined ? [] : [[step + 1, bits]]));
}

/** The value at `x` on the straight lines between the points of a curve. */
function at(points, x) {
  const next = points.findIndex(([px]) => px >= x);
  if (next <= 0) return next === 0 ? points[0][1] : points.at(-1)[1];
  const [[x0, y0], [x1, y1]] = [points[next - 1], points[next]];
  return y0 + ((y1 - y0) * (x - x0)) / (x1 - x0);
}

function report(from, speedsPath) {
  const measured = readFileSync(speedsPath, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const rows = variants.map(({ name }) => {
    const { millisecondsPerToken, overDense, parameters } = measured.find(({ variant }) => variant === name);
    const secondsPerStep = (millisecondsPerToken * measure.batch * measure.length) / 1000;
    const seeds = SEEDS.map((seed) => join(from, `${name}-${seed}`));
    const evaluated = seeds.map((run) => JSON.parse(readFileSync(`${run}.evaluated.json`, "utf8")));
    return { name, parameters, overDense, secondsPerStep, curves: seeds.map(curve), evaluated };
  });
  const shortest = Math.min(...rows.map(({ secondsPerStep }) => secondsPerStep)) * STEPS;
  const out = root("benchmarks/quality");
  const readme = join(out, "README.md");
  writeFileSync(readme, readFileSync(readme, "utf8").replace(TABLE, tableOf(rows, shortest)));
  const average = (curves) => curves[0].map(([step], i) => [step, mean(curves.map((points) => points[i][1]))]);
  const axis = "held-out bits per byte";
  const bySteps = rows.map(({ name, curves }) => ({ name, points: average(curves) }));
  const bySeconds = rows.map(({ name, curves, secondsPerStep }) => ({
    name,
    points: average(curves).map(([step, bits]) => [step * secondsPerStep, bits]),
  }));
  writeFileSync(join(out, "steps.svg"), linePlot({ x: "steps", y: axis, lines: bySteps }));
  writeFileSync(join(out, "seconds.svg"), linePlot({ x: "seconds of training", y: axis, lines: bySeconds }));
}

function tableOf(rows, shortest) {
  const title = `| feed-forward | parameters | steps/s over dense | bits per byte after ${STEPS} steps | after ${shortest.toFixed(0)} s | all held-out text | as decoded |`;
  const lines = rows.map(({ name, parameters, overDense, secondsPerStep, curves, evaluated }) => {
    const cells = [
      name,
      `${(parameters / 1e6).toFixed(2)} M`,
      overDense.median.toFixed(2),
      range(curves.map((points) => at(points, STEPS))),
      range(curves.map((points) => at(points, shortest / secondsPerStep))),
      range(evaluated.map(({ asTrained }) => asTrained)),
      range(evaluated.map(({ asDecoded }) => asDecoded)),
    ];
    return `| ${cells.join(" | ")} |`;
  });
  return [title, `|${" --- |".repeat(7)}`, ...lines, ""].join("\n");
}
