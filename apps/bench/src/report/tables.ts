import type { Spread } from "../measure/statistics.ts";
import { digits, flopRate, percent } from "../results/format.ts";
import { isFailure, isMeasurement, type Result } from "../results/result.ts";
import type { Recorded } from "./recorded.ts";
import { grouped, newest } from "./series.ts";

const HEAD = `# Results

The newest result for each machine, suite, case, backend, device and variant, made from the files beside this page by
\`npm run benchmarks\`. [How it is measured](../README.md), and [what a column means](../../apps/bench#method). Few rounds are those of
\`--quick\`. The machines are shared: read ratios and shares, not times.`;

/** A result and where it is recorded. */
interface Line {
  readonly result: Result;
  readonly machine: string;
  /** Below the folder of results. */
  readonly file: string;
}

/** The page of all that is recorded, in Markdown: a heading for every machine and suite, a table for every case. */
export function tablesPage({ files }: Pick<Recorded, "files">): string {
  const lines = files.flatMap(({ machine, name, results }) =>
    results.map((result): Line => ({ result, machine, file: name })),
  );
  const at = new Map(lines.map((line) => [line.result, line]));
  const last = newest(
    lines.map(({ result }) => result),
    (result) => at.get(result)!.machine,
  ).map((result) => at.get(result)!); // every result is in it
  const machines = [...grouped(last, ({ machine }) => machine)];
  return [HEAD, ...machines.flatMap(([machine, of]) => [`## ${machine}`, ...suites(of)])].join("\n\n").concat("\n");
}

function suites(lines: readonly Line[]): string[] {
  const sorted = [...grouped(lines, ({ result }) => result.suite)].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return sorted.flatMap(([suite, of]) => [
    `### ${suite}`,
    ...[...grouped(of, ({ result }) => JSON.stringify([result.case, result.phase]))].map(([, group]) =>
      caseTable(group),
    ),
  ]);
}

const COLUMNS = [
  "backend",
  "variant",
  "median",
  "middle half",
  "over dense (95 %)",
  "of the limit",
  "rounds",
  "engine",
  "results",
];

function caseTable(lines: readonly Line[]): string {
  const { case: name, phase } = lines[0]!.result; // no group is empty
  const byBackend = [
    ...grouped(lines, ({ result }) => JSON.stringify([result.backend, result.device])).values(),
  ].flat();
  const rows = [COLUMNS, COLUMNS.map(() => "---"), ...byBackend.map(cells)];
  return [`${cell(name)} (${phase})`, "", ...rows.map((row) => `| ${row.join(" | ")} |`)].join("\n");
}

function cells({ result, file }: Line): string[] {
  const name = /([^/]+)\.jsonl$/.exec(file)?.[1] ?? file;
  const last = [cell(engine(result)), `[${name.replace(/^\d{4}-\d\d-\d\d-/, "")}](${file})`];
  const first = [cell(result.backend), cell(result.variant)];
  if (isFailure(result)) return [...first, `failed: ${cell(result.error)}`, "", "", "", "", ...last];
  const { rounds, rooflineShare: share } = result;
  const common = [Number.isFinite(share) ? percent(share) : "–", `${rounds}`, ...last];
  if (!isMeasurement(result)) {
    const { milliseconds, flopsPerSecond } = result;
    return [
      ...first,
      `${digits(milliseconds.median)} ms, ${flopRate(flopsPerSecond)}`,
      `${range(milliseconds)} ms`,
      "–",
      ...common,
    ];
  }
  const { tokensPerSecond: speed, overDense: over } = result;
  return [...first, `${digits(speed.median)} tokens/s`, range(speed), ratio(over), ...common];
}

/** Of the dense variant to itself there is no interval. */
const ratio = (over: Spread | null) => {
  if (over === null) return "–";
  return over.low === over.high ? digits(over.median) : `${digits(over.median)} (${range(over)})`;
};
const range = ({ low, high }: Spread) => (low === high ? "–" : `${digits(low)} to ${digits(high)}`);

/** What ran it, with Node's version where that is not in it already. */
function engine({ versions: { provider = "", node } }: Result): string {
  const version = node?.replace(/^v/, "");
  return version === undefined || provider.includes(version) ? provider : `${provider}, Node ${version}`;
}

/** Text as a cell of a table, and as nothing else. */
const cell = (text: string): string =>
  text.replace(/[|<>\\`*_[\]]/g, (character) => `\\${character}`).replace(/\s+/g, " ");
