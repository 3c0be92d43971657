import { isFailure, isMeasurement, isOpMeasurement, type Result } from "@finegrain/bench";

type Cell = string | number | null | undefined;

/** Columns of the CSV by their titles: those of other phases are empty. */
const COLUMNS: Readonly<Record<string, (result: Result) => Cell>> = {
  suite: ({ suite }) => suite,
  case: (result) => result.case,
  phase: ({ phase }) => phase,
  backend: ({ backend }) => backend,
  device: ({ device }) => device,
  variant: ({ variant }) => variant,
  tokens_per_second: (result) => (isMeasurement(result) ? result.tokensPerSecond.median : undefined),
  low: (result) => (isMeasurement(result) ? result.tokensPerSecond.low : undefined),
  high: (result) => (isMeasurement(result) ? result.tokensPerSecond.high : undefined),
  over_dense: (result) => (isMeasurement(result) ? result.overDense?.median : undefined),
  context: (result) => (isMeasurement(result) ? result.context : undefined),
  parameters: (result) => (isMeasurement(result) ? result.parameters : undefined),
  bytes_per_token: (result) => (isMeasurement(result) ? result.bytesPerToken : undefined),
  milliseconds: (result) => (isOpMeasurement(result) ? result.milliseconds.median : undefined),
  flops_per_second: (result) => (isOpMeasurement(result) ? result.flopsPerSecond : undefined),
  share_of_limit: (result) => (isFailure(result) ? undefined : result.rooflineShare),
  rounds: (result) => (isFailure(result) ? undefined : result.rounds),
  error: (result) => (isFailure(result) ? result.error : undefined),
};

/** The line of titles. */
export const csvTitles = (): string => line(Object.keys(COLUMNS));

/** A line a result, as RFC 4180 has them. */
export const csvLines = (results: readonly Result[]): string =>
  results.map((result) => line(Object.values(COLUMNS).map((cell) => cell(result)))).join("");

const line = (cells: readonly Cell[]): string => `${cells.map(quoted).join(",")}\r\n`;

function quoted(cell: Cell): string {
  const text = String(cell ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
