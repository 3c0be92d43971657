import { appendFile } from "node:fs/promises";
import {
  isFailure,
  isMeasurement,
  isWide,
  loadSuite,
  type Measurement,
  type Progress,
  profileSuite,
  type Result,
  type RunOptions,
  runSuite,
  type Suite,
} from "@finegrain/bench";
import type { KernelTime } from "@finegrain/graph";
import type { Values } from "../arguments.ts";
import { openBackend } from "../backends.ts";
import type { benchFlags } from "../commands/bench.ts";
import { EXIT, type ExitCode } from "../exit.ts";
import { interruptible } from "../interrupt.ts";
import { bytes, count, digits, flopRate, whole } from "../output/format.ts";
import { progressLine } from "../output/progress.ts";
import { table } from "../output/table.ts";
import { type Terminal, terminal } from "../output/terminal.ts";

/**
 * `finegrain bench SUITE`: measure a suite's cases and print a table of each as it ends. With `--json` every result is
 * appended to the file at once, so that an interruption keeps the cases that finished.
 */
export async function bench(values: Values<typeof benchFlags>, [name]: readonly string[]): Promise<ExitCode> {
  const suite = await loadSuite(name!); // the operand is required
  await using backend = await openBackend(values.backend, values.device);
  const out = terminal();
  // A file that cannot be written should be known before minutes of measuring.
  if (values.json !== undefined) await appendFile(values.json, "");
  using interrupt = interruptible(() => out.note("stopping after this round; Ctrl-C again stops at once"));
  out.print(out.style.bold(`${suite.name}: ${suite.title}`));
  out.print(out.style.dim(`${backend.name}, ${backend.device.description}, ${backend.device.provider}`));
  let failed = false;
  const { quick, rounds, quantize: storage } = values;
  const options = { backend, quick, rounds, storage, signal: interrupt.signal, onProgress: progress(out) };
  if (values.profile) return await printProfiles(out, suite, options);
  for await (const results of runSuite(suite, options)) {
    out.clear();
    failed ||= results.some(isFailure);
    printCase(out, results);
    if (values.json === undefined) continue;
    await appendFile(values.json, results.map((result) => `${JSON.stringify(result)}\n`).join(""));
  }
  out.clear();
  if (interrupt.signal.aborted) return EXIT.interrupted;
  return failed ? EXIT.failed : EXIT.ok;
}

/** A table of kernels for every variant, the longest first; what is the same in every layer is one line. */
async function printProfiles(out: Terminal, suite: Suite, options: RunOptions): Promise<ExitCode> {
  for await (const { case: name, variant, milliseconds, kernels } of profileSuite(suite, options)) {
    out.clear();
    out.print(`\n${out.style.bold(`${name}: ${variant}`)}, ${digits(milliseconds)} ms with the clocks`);
    out.print(kernelTable(kernels));
  }
  out.clear();
  return options.signal?.aborted ? EXIT.interrupted : EXIT.ok;
}

function kernelTable(kernels: readonly KernelTime[]): string {
  const groups = new Map<string, KernelTime[]>();
  for (const kernel of kernels) {
    const key = `${kernel.name} ${kernel.flops} ${kernel.bytes}`;
    groups.set(key, [...(groups.get(key) ?? []), kernel]);
  }
  const rows = [...groups.values()].map((group) => {
    const { name, flops, bytes: traffic } = group[0]!; // no group is empty
    const ms = group.reduce((sum, kernel) => sum + kernel.milliseconds / kernel.runs, 0);
    return {
      name,
      count: group.length,
      ms,
      bytesPerSecond: (1000 * group.length * traffic) / ms,
      flopsPerSecond: (1000 * group.length * flops) / ms,
    };
  });
  const all = rows.reduce((sum, { ms }) => sum + ms, 0);
  return table(
    [left("kernel"), ...["kernels", "ms", "of all", "memory", "arithmetic"].map(right)],
    rows
      .toSorted((a, b) => b.ms - a.ms)
      .slice(0, LONGEST)
      .map((row) => [
        row.name,
        whole(row.count),
        digits(row.ms),
        share(row.ms / all),
        `${bytes(row.bytesPerSecond)}/s`,
        flopRate(row.flopsPerSecond),
      ]),
  );
}

/** Shows the activity; the time left is that of this activity, from its own first piece on. */
function progress(out: Terminal): (progress: Progress) => void {
  let current: { key: string; started: number; first: number } | undefined;
  return ({ case: name, activity, done, of }) => {
    const key = `${name}: ${activity}`;
    if (current?.key !== key) current = { key, started: performance.now(), first: done };
    const seconds = (performance.now() - current.started) / 1000;
    out.progress(progressLine(done, of, seconds, [key]));
  };
}

function printCase(out: Terminal, results: readonly Result[]): void {
  const [first] = results;
  if (first === undefined) return;
  const measured = results.filter(isMeasurement);
  const { machine } = results.at(-1)!;
  out.print(`\n${out.style.bold(`${first.case} (${first.phase})`)}`);
  if (measured.length > 0) out.print(first.phase === "decode" ? decodeTable(measured) : trainTable(measured));
  for (const failure of results.filter(isFailure)) out.print(`${failure.variant} failed: ${failure.error}`);
  const {
    bandwidthBytesPerSecond: bandwidth,
    bandwidthMethod: method,
    gemmFlopsPerSecond: gemm,
    cpu,
    threads,
    peakMemoryBytes,
  } = machine;
  const limits = [
    `${cpu}, ${threads} threads`,
    bandwidth !== undefined && `memory ${bytes(bandwidth)}/s (${method})`,
    gemm !== undefined && `matrix products alone ${flopRate(gemm)}`,
    `peak memory ${bytes(peakMemoryBytes)}`,
  ];
  out.print(out.style.dim(limits.filter(Boolean).join(", ")));
  for (const { variant, tokensPerSecond } of measured.filter((result) => isWide(result.tokensPerSecond)))
    out.print(
      `${variant}: the middle half of its rounds is spread over more than 10 % (${spread(tokensPerSecond)} tokens/s)`,
    );
}

/** Lines of a profile. */
const LONGEST = 25;

const left = (title: string) => ({ title, align: "left" as const });
const right = (title: string) => ({ title, align: "right" as const });
const spread = ({ low, high }: { low: number; high: number }) => `${digits(low)} to ${digits(high)}`;
const share = (part: number) => `${digits(part * 100)} %`;

const overDense = ({ overDense: over }: Measurement) =>
  over === null ? "-" : `${digits(over.median)} (${spread(over)})`;

/** What both tables begin with, behind the variant. */
const SPEED_COLUMNS = ["tokens/s", "quartiles", "ms/token", "over dense (95 %)"] as const;
const speedCells = (result: Measurement): string[] => [
  result.variant,
  digits(result.tokensPerSecond.median),
  spread(result.tokensPerSecond),
  digits(result.millisecondsPerToken),
  overDense(result),
];

function decodeTable(results: readonly Measurement[]): string {
  const columns = [...SPEED_COLUMNS, "bytes/token", "of bandwidth", "parameters"];
  return table(
    [left("variant"), ...columns.map(right)],
    results.map((result) => [
      ...speedCells(result),
      bytes(result.bytesPerToken ?? Number.NaN),
      share(result.rooflineShare),
      count(result.parameters),
    ]),
  );
}

function trainTable(results: readonly Measurement[]): string {
  const columns = [...SPEED_COLUMNS, "arithmetic", "of products alone", "parameters"];
  return table(
    [left("variant"), ...columns.map(right)],
    results.map((result) => [
      ...speedCells(result),
      flopRate((result.machine.gemmFlopsPerSecond ?? Number.NaN) * result.rooflineShare),
      share(result.rooflineShare),
      count(result.parameters),
    ]),
  );
}
