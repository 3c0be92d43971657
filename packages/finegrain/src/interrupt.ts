import { EXIT } from "./exit.ts";

/** What Ctrl-C does while a command works. */
export interface Interrupt extends Disposable {
  readonly signal: AbortSignal;
}

/** Of ranks, the launcher and the terminal may both tell of one Ctrl-C, within so many milliseconds. */
const ONE_INTERRUPT = 500;

/**
 * The first SIGINT or SIGTERM aborts the signal, so that the work ends at its next good place; the second ends the
 * process at once. Disposing gives the signals back their usual meaning.
 *
 * @param onFirst told the person that the first one was heard.
 * @param isRank whether the process is one of several: then SIGUSR2, which launchers hand on without an end of their own to follow, does so too.
 */
export function interruptible(onFirst: () => void, { isRank = false } = {}): Interrupt {
  const controller = new AbortController();
  const signals: readonly NodeJS.Signals[] = isRank ? ["SIGINT", "SIGTERM", "SIGUSR2"] : ["SIGINT", "SIGTERM"];
  let first = Number.NEGATIVE_INFINITY;
  const handle = () => {
    if (isRank && performance.now() - first < ONE_INTERRUPT) return;
    if (controller.signal.aborted) process.exit(EXIT.interrupted);
    first = performance.now();
    controller.abort();
    onFirst();
  };
  for (const signal of signals) process.on(signal, handle);
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      for (const signal of signals) process.off(signal, handle);
    },
  };
}
