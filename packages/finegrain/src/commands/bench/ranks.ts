import { hostname } from "node:os";
import { type BackendOptions, openBackend } from "@finegrain/backends";
import { appendResults, isFailure, loadSuite, type Result, runScaling, runSuite, type Suite } from "@finegrain/bench";
import { type Communicator, valuesOfRanks } from "@finegrain/distributed";
import type { Values } from "../../arguments.ts";
import { EXIT, type ExitCode, UsageError } from "../../exit.ts";
import { terminal } from "../../output/terminal.ts";
import { readBackendNames } from "../backend-names.ts";
import { optionsOfRank } from "../ranks.ts";
import type { benchFlags } from "./flags.ts";
import { printCase } from "./print-case.ts";
import { benchProgress } from "./progress.ts";

type BenchValues = Values<typeof benchFlags>;

/** What compares, or is of one process alone. */
const ALONE = ["against", "peers", "profile", "csv", "markdown"] as const;

/** What is of decoding, or of how many threads a machine's processors are, which those of a training share out. */
const OF_EACH = ["quantize", "prompt", "threads"] as const;

/**
 * `finegrain bench SUITE --distributed mpi`: the suite's trainings by 1, 2, 4, ... ranks, or with `--each-host` the whole suite by every rank for itself.
 * Rank 0 prints and keeps the results of all.
 */
export async function benchOfRanks(values: BenchValues, name: string, communicator: Communicator): Promise<ExitCode> {
  const eachHost = values["each-host"] === true;
  const wrong = [...ALONE, ...(eachHost ? [] : OF_EACH)].find(
    (flag) => values[flag] !== undefined && values[flag] !== false,
  );
  if (wrong !== undefined)
    throw new UsageError(
      `--${wrong} cannot be given with --distributed${OF_EACH.some((flag) => flag === wrong) ? ", but where each measures for itself (--each-host)" : ""}`,
    );
  const suite = await loadSuite(name);
  const isFirst = communicator.rank === 0;
  const { json } = values;
  if (json !== undefined && isFirst) await appendResults(json, []);
  const out = terminal({ quiet: !isFirst });
  out.print(out.style.bold(`${suite.name}: ${suite.title}`));
  out.print(`${communicator.size} ranks, ${communicator.local} of them on this machine, by ${communicator.name}`);
  let fails = false;
  for (const asked of readBackendNames(values.backend, values.device)) {
    const onProgress = benchProgress(out, asked.name ?? "");
    const measuring = eachHost ? onEachHost : byRanks;
    for await (const results of measuring(suite, asked, { ...values, communicator, onProgress })) {
      out.clear();
      for (const key of new Set(results.map(tableOf)))
        printCase(
          out,
          results.filter((result) => tableOf(result) === key),
        );
      if (json !== undefined && isFirst) await appendResults(json, results);
      fails ||= results.some(isFailure);
    }
    out.clear();
  }
  return fails ? EXIT.failed : EXIT.ok;
}

/** What is shown in one table. */
const tableOf = ({ case: name, host }: Result): string => `${name} ${host}`;

interface Measuring extends Pick<BenchValues, "quick" | "rounds" | "prompt" | "batch" | "threads" | "quantize"> {
  readonly communicator: Communicator;
  readonly onProgress: ReturnType<typeof benchProgress>;
}

const byRanks = (suite: Suite, asked: BackendOptions, measuring: Measuring): AsyncGenerator<readonly Result[]> =>
  runScaling(suite, { ...measuring, open: (ranks) => openBackend(optionsOfRank(asked, undefined, ranks)) });

/** Results of all ranks, a case at a time, with the names of their machines. */
async function* onEachHost(
  suite: Suite,
  asked: BackendOptions,
  { communicator, quantize: storage, threads, ...options }: Measuring,
): AsyncGenerator<readonly Result[]> {
  await using backend = await openBackend(optionsOfRank(asked, threads, communicator));
  for await (const results of runSuite(suite, { ...options, storage, backend }))
    yield valuesOfRanks(
      communicator,
      results.map((result) => ({ ...result, host: hostname() })),
    ).flat();
}
