import type { Run } from "@finegrain/runs";
import type { Terminal } from "../../output/terminal.ts";

/**
 * The run of a training; undefined, which is said, where it was stopped before its first step and left none.
 * @param wasStopped whether a training that failed was.
 */
export async function begunRun(
  training: Promise<Run>,
  out: Terminal,
  wasStopped: () => boolean,
): Promise<Run | undefined> {
  const run = await training.catch((error: unknown) => {
    if (wasStopped()) return undefined;
    throw error;
  });
  out.clear();
  if (run === undefined) out.print("stopped before its first step: there is no run");
  return run;
}
