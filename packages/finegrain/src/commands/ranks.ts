import { availableParallelism, cpus } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { type BackendOptions, isThreaded } from "@finegrain/backends";
import { alone, type Communicator, expectAlike, RanksDiffer } from "@finegrain/distributed";
import { type ExitCode, failure, UsageError } from "../exit.ts";
import { version } from "../version.ts";

/** Milliseconds that a rank leaves to those before it, which may fail for the same reason and say so. */
const AFTER_ANOTHER = 1500;
const MOST_AFTER = 3000;

/**
 * Work as one of several ranks, or alone where `named` is undefined. A rank that fails says why, and ends all.
 * @param named what --distributed says: "mpi" or "mpi:PATH".
 * @throws UsageError where it says something else; and of a process alone what the work throws.
 */
export async function withRanks(
  named: string | undefined,
  work: (communicator: Communicator) => Promise<ExitCode>,
): Promise<ExitCode> {
  if (named === undefined) return work(alone());
  const [engine, library] = named.split(/:(.*)/s);
  if (engine !== "mpi" || library === "")
    throw new UsageError(`--distributed must be mpi, or mpi:PATH with a library, not "${named}"`);
  const { openMpi } = await import("@finegrain/distributed/mpi");
  const communicator = await openMpi({ library });
  try {
    expectAlike(communicator, { "version of finegrain": version(), "command line": process.argv.slice(2).join(" ") });
    const code = await work(communicator);
    await communicator[Symbol.asyncDispose]();
    return code;
  } catch (error) {
    const { text, code } = failure(error);
    const { rank, size } = communicator;
    // What all are told alike, rank 0 says for them and ends them: the others wait where it never comes.
    if (error instanceof RanksDiffer && rank > 0) await communicator.barrier();
    // What each finds by itself may be the same, too.
    await sleep(Math.min(rank * AFTER_ANOTHER, MOST_AFTER));
    process.stderr.write(`finegrain: ${size > 1 ? `rank ${rank} of ${size}: ` : ""}${text}\n`);
    return communicator.abort(code);
  }
}

/** A backend's options for a rank: of the processors of its machine it has its part. */
export function optionsOfRank(
  options: BackendOptions,
  threads: number | undefined,
  { size, local }: Communicator,
): BackendOptions {
  if (threads !== undefined) return { ...options, threads };
  if (size === 1 || !isThreaded(options)) return options;
  return { ...options, threads: Math.min(availableParallelism(), Math.max(1, Math.floor(cpus().length / local))) };
}
