import { availableParallelism } from "node:os";
import type { BackendOptions } from "@finegrain/backends";
import {
  appendResults,
  casesOf,
  compare,
  failed,
  isFailure,
  loadSuite,
  openPeers,
  type Peer,
  peersNamed,
  type Result,
  type RunOptions,
  readEvidence,
  runSuite,
  type Suite,
} from "@finegrain/bench";
import { FinegrainError } from "@finegrain/graph";
import type { Values } from "../../arguments.ts";
import { EXIT, type ExitCode, UsageError } from "../../exit.ts";
import { interruptible } from "../../interrupt.ts";
import { type Terminal, terminal } from "../../output/terminal.ts";
import { backendLabel, readBackendNames } from "../backend-names.ts";
import { openNoting } from "../open-backend.ts";
import { withRanks } from "../ranks.ts";
import { changesTable } from "./changes.ts";
import { csvTitles } from "./csv.ts";
import type { benchFlags } from "./flags.ts";
import { type Form, printCase } from "./print-case.ts";
import { printProfiles } from "./profile.ts";
import { benchProgress } from "./progress.ts";
import { benchOfRanks } from "./ranks.ts";

type BenchValues = Values<typeof benchFlags>;

/**
 * `finegrain bench SUITE`: measure a suite's cases on one backend after the other and print a table of each case as it
 * ends. With `--json` results are appended to the file as their case ends, so that an interruption keeps them. With
 * `--against` what changed is printed at the end.
 */
export const bench = (values: BenchValues, [name]: readonly string[]): Promise<ExitCode> =>
  values.distributed === undefined
    ? benchAlone(values, name!) // the operand is required
    : withRanks(values.distributed, (communicator) => benchOfRanks(values, name!, communicator));

async function benchAlone(values: BenchValues, name: string): Promise<ExitCode> {
  if (values["each-host"]) throw new UsageError("--each-host needs --distributed");
  const suite = await loadSuite(name);
  const backends = readBackendNames(values.backend, values.device);
  const { json, against } = values;
  const peers = values.peers === undefined ? [] : peersNamed(values.peers);
  const before = against === undefined ? undefined : await earlierResults(against, suite);
  // A file that cannot be written should be known before minutes of measuring.
  if (json !== undefined) await appendResults(json, []);
  const form = formOf(values);
  const out = terminal({ quiet: form !== "plain" });
  if (form === "csv") out.write(csvTitles());
  using interrupt = interruptible(() => out.note("stopping after this round; Ctrl-C again stops at once"));
  out.print(out.style.bold(`${suite.name}: ${suite.title}`));
  const now: Result[] = [];
  for (const asked of backends) {
    if (interrupt.signal.aborted) break;
    for await (const results of runOn(asked, {
      suite,
      values,
      peers,
      form,
      out,
      signal: interrupt.signal,
      alone: backends.length === 1,
    })) {
      now.push(...results);
      if (json !== undefined) await appendResults(json, results);
    }
  }
  const worse = before !== undefined && now.length > 0 && printChanges(out, before, now);
  if (interrupt.signal.aborted) return EXIT.interrupted;
  return worse || now.some((result) => fails(result, values)) ? EXIT.failed : EXIT.ok;
}

/** @throws UsageError where two forms are asked for, or one of what has none. */
function formOf({ csv, markdown, profile, against }: BenchValues): Form {
  if (csv && markdown) throw new UsageError("results are printed with --csv or with --markdown, not with both");
  const form = csv ? "csv" : markdown ? "markdown" : "plain";
  if (form !== "plain" && (profile || against !== undefined))
    throw new UsageError(`--${form} is for results alone: not with --${profile ? "profile" : "against"}`);
  return form;
}

/** Of "all" peers only those are meant that are there. */
const fails = (result: Result, { peers }: BenchValues): boolean =>
  isFailure(result) && !(result.absent && peers === "all");

/** @throws FinegrainError where the file has nothing of the suite: a wrong file should be known before the measuring. */
async function earlierResults(path: string, suite: Suite): Promise<Result[]> {
  const results = (await readEvidence(path)).results.filter((result) => result.suite === suite.name);
  if (results.length === 0) throw new FinegrainError(`${path} has no result of the suite ${suite.name}`);
  return results;
}

interface BenchRun {
  readonly suite: Suite;
  readonly values: BenchValues;
  readonly peers: readonly Peer[];
  readonly form: Form;
  readonly out: Terminal;
  readonly signal: AbortSignal;
  /** Whether no other backend is asked for: then one that does not open is an error, and not a line. */
  readonly alone: boolean;
}

async function* runOn(
  asked: BackendOptions,
  { suite, values, peers: named, form, out, signal, alone }: BenchRun,
): AsyncGenerator<readonly Result[]> {
  const { quick, rounds, prompt, batch, quantize: storage } = values;
  const which = values.threads === undefined ? asked : { ...asked, threads: values.threads };
  const opened = await openNoting(out, which).catch((error: Error) => error);
  if (opened instanceof Error) {
    if (alone) throw opened;
    out.print(`\n${backendLabel(asked)} does not open: ${opened.message}`);
    yield casesOf(suite, values).flatMap((entry) => failed(suite.name, entry, absent(asked), opened.message));
    return;
  }
  await using backend = opened;
  out.print(out.style.dim(`${backend.name}, ${backend.device.description}, ${backend.device.provider}`));
  const { threads = availableParallelism(), ...device } = backend.device;
  await using peers = await openPeers(named, { ...device, threads });
  const onProgress = benchProgress(out, backend.name);
  const options: RunOptions = { backend, peers, quick, rounds, prompt, batch, storage, signal, onProgress };
  if (values.profile) return await printProfiles(out, suite, options);
  for await (const results of runSuite(suite, options)) {
    out.clear();
    printCase(out, results, form);
    yield results;
  }
  out.clear();
}

/** What lines say of a backend that did not open. */
const absent = (asked: BackendOptions) => ({
  name: backendLabel(asked),
  device: { kind: "none", description: "not opened", provider: "none" },
});

/** @returns whether something got slower, or fails that did not. */
function printChanges(out: Terminal, before: readonly Result[], now: readonly Result[]): boolean {
  const changes = compare(before, now);
  out.print(`\n${out.style.bold("since then")}`);
  for (const line of changesTable(changes, now.length - changes.length)) out.print(line);
  return changes.some(({ verdict }) => verdict === "slower" || verdict === "fails now");
}
