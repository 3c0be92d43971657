import { EXIT } from "./exit.ts";

/** What Ctrl-C does while a command works. */
export interface Interrupt extends Disposable {
  readonly signal: AbortSignal;
}

/**
 * The first SIGINT or SIGTERM aborts the signal, so that the work ends at its next good place; the second ends the
 * process at once. Disposing gives the signals back their usual meaning.
 *
 * @param onFirst told the person that the first one was heard.
 */
export function interruptible(onFirst: () => void): Interrupt {
  const controller = new AbortController();
  const handle = () => {
    if (controller.signal.aborted) process.exit(EXIT.interrupted);
    controller.abort();
    onFirst();
  };
  process.on("SIGINT", handle);
  process.on("SIGTERM", handle);
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      process.off("SIGINT", handle);
      process.off("SIGTERM", handle);
    },
  };
}
