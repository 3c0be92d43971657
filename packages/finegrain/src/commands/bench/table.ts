import {
  type Failure,
  isFailure,
  isMeasurement,
  isOpMeasurement,
  type Measurement,
  type OpMeasurement,
  type Result,
  type Spread,
} from "@finegrain/bench";
import { bytes, count, digits, flopRate } from "../../output/format.ts";
import { type Column, table } from "../../output/table.ts";

/** A table's columns and rows, before it is drawn. */
type Content = readonly [columns: readonly Column[], rows: readonly (readonly string[])[]];
/** How a table is drawn. */
export type Drawing = (...content: Content) => string;

export const left = (title: string): Column => ({ title, align: "left" });
export const right = (title: string): Column => ({ title, align: "right" });
export const share = (part: number): string => `${digits(part * 100)} %`;
export const range = ({ low, high }: Pick<Spread, "low" | "high">): string => `${digits(low)} to ${digits(high)}`;

/**
 * A case's results as lines of text: a table of what was measured, a sentence for what failed, one for rounds that are
 * spread too widely. A peer's variants have its name before their own.
 * @param drawn how the tables are.
 */
export function caseTable(lines: readonly Result[], drawn: Drawing = table): string[] {
  const results = lines.map((line) => (line.backend === lines[0]!.backend ? line : named(line)));
  const models = results.filter(isMeasurement);
  const ops = results.filter(isOpMeasurement);
  return [
    ...(models.length > 0 ? [drawn(...modelTable(models))] : []),
    ...(ops.length > 0 ? [drawn(...opTable(ops))] : []),
    ...results.filter(isFailure).map(sentence),
    ...([...models, ...ops].some(({ wide }) => wide) ? [WIDE] : []),
  ];
}

const named = (result: Result): Result => ({ ...result, variant: `${result.backend}: ${result.variant}` });

const sentence = ({ absent, backend, variant, error }: Failure): string =>
  absent ? `peer ${backend}: ${error}` : `${variant} failed: ${error}`;

const WIDE =
  "wide: the middle half of the rounds is spread over more than 10 % of their median; the machine was not quiet";

const rounds = ({ rounds: n, wide }: Measurement | OpMeasurement): string => (wide ? `${n}, wide` : `${n}`);

const overDense = ({ overDense: over }: Measurement) =>
  over === null ? "-" : `${digits(over.median)} (${range(over)})`;

/** What both tables of models begin with, behind the variant. */
const SPEED_COLUMNS = ["tokens/s", "quartiles", "ms/token", "over dense (95 %)"] as const;
const speedCells = (result: Measurement): string[] => [
  result.variant,
  digits(result.tokensPerSecond.median),
  range(result.tokensPerSecond),
  digits(result.millisecondsPerToken),
  overDense(result),
];

function modelTable(models: readonly Measurement[]): Content {
  const [{ phase, ranks }] = models as readonly [Measurement, ...Measurement[]]; // there are some
  if (ranks !== undefined) return ranksTable(models);
  if (phase === "prefill") return prefillTable(models);
  return phase === "decode" ? decodeTable(models) : trainTable(models);
}

function ranksTable(results: readonly Measurement[]): Content {
  const columns = ["tokens/s", "quartiles", "over one rank (95 %)", "of the machines", "in messages", "rounds"];
  return [
    [left("variant"), left("scaling"), ...columns.map(right)],
    results.map((result) => [
      result.variant,
      result.scaling ?? "-",
      digits(result.tokensPerSecond.median),
      range(result.tokensPerSecond),
      result.overOneRank ? `${digits(result.overOneRank.median)} (${range(result.overOneRank)})` : "-",
      share(result.rooflineShare),
      result.communicationShare === undefined ? "-" : share(result.communicationShare),
      rounds(result),
    ]),
  ];
}

function decodeTable(results: readonly Measurement[]): Content {
  const columns = [...SPEED_COLUMNS, "bytes/token", "of bandwidth", "parameters", "rounds"];
  return [
    [left("variant"), ...columns.map(right)],
    results.map((result) => [
      ...speedCells(result),
      bytes(result.bytesPerToken ?? Number.NaN),
      share(result.rooflineShare),
      count(result.parameters),
      rounds(result),
    ]),
  ];
}

function prefillTable(results: readonly Measurement[]): Content {
  const columns = [...SPEED_COLUMNS, "ms to the first logits", "arithmetic", "of fp32", "parameters", "rounds"];
  return [
    [left("variant"), ...columns.map(right)],
    results.map((result) => [
      ...speedCells(result),
      digits(result.millisecondsPerToken * (result.context ?? Number.NaN)),
      flopRate((result.machine.flopsPerSecond ?? Number.NaN) * result.rooflineShare),
      share(result.rooflineShare),
      count(result.parameters),
      rounds(result),
    ]),
  ];
}

function trainTable(results: readonly Measurement[]): Content {
  const columns = [...SPEED_COLUMNS, "arithmetic", "of products alone", "parameters", "rounds"];
  return [
    [left("variant"), ...columns.map(right)],
    results.map((result) => [
      ...speedCells(result),
      flopRate((result.machine.gemmFlopsPerSecond ?? Number.NaN) * result.rooflineShare),
      share(result.rooflineShare),
      count(result.parameters),
      rounds(result),
    ]),
  ];
}

function opTable(results: readonly OpMeasurement[]): Content {
  const columns = ["ms", "quartiles", "memory", "arithmetic", "FLOP/byte", "of the limit", "rounds"];
  return [
    [left(results[0]!.op), ...columns.map(right)],
    results.map((result) => [
      result.variant,
      digits(result.milliseconds.median),
      range(result.milliseconds),
      `${bytes(result.bytesPerSecond)}/s`,
      flopRate(result.flopsPerSecond),
      digits(result.intensity),
      share(result.rooflineShare),
      rounds(result),
    ]),
  ];
}

/** The machine, its limits in these results, and what it needed. */
export function machineLine(results: readonly Result[]): string {
  const { machine } = results[0]!; // of ours: a peer that is not there knows no limits
  const measured = results.flatMap((result) => (isFailure(result) ? [] : [result]));
  const peak = Math.max(0, ...measured.map((result) => result.peakMemoryBytes ?? 0));
  const onDevice = Math.max(0, ...measured.map((result) => result.deviceMemoryBytes ?? 0));
  const { bandwidthBytesPerSecond: bandwidth = 0, flopsPerSecond: rate = 0 } = machine;
  const joules = results
    .filter(isMeasurement)
    .map(({ variant, joulesPerToken: j }) => j != null && `${variant} ${digits(j)} J/token`);
  const dispatches = results
    .filter(isMeasurement)
    .flatMap(({ variant, dispatches: n }) => (n == null ? [] : [`${variant} ${digits(n)}`]));
  const facts = [
    `${machine.cpu}, ${machine.threads} threads`,
    bandwidth > 0 && `memory ${bytes(bandwidth)}/s (${machine.bandwidthMethod})`,
    rate > 0 && `fp32 ${flopRate(rate)} (${machine.flopsMethod})`,
    peak > 0 && `peak memory ${bytes(peak)}`,
    onDevice > 0 && `on the device ${bytes(onDevice)}`,
    dispatches.length > 0 && `dispatches a step: ${dispatches.join(", ")}`,
    ...joules,
  ];
  return facts.filter(Boolean).join(", ");
}
