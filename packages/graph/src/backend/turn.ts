/** Milliseconds that a thread is held, about, before whatever else waits has its turn: half of what a person notices of a page. */
const LONGEST = 10;

/** Let what waits have its turn: signals, timers, a page's input and its drawing. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    if ("setImmediate" in globalThis) {
      setImmediate(resolve);
      return;
    }
    // Timers of a page wait for some milliseconds, messages do not.
    const { port1, port2 } = new MessageChannel();
    port1.addEventListener("message", () => {
      port1.close();
      resolve();
    });
    port1.start();
    port2.postMessage(undefined);
  });
}

/**
 * Work in steps of some milliseconds at most, between which its thread may do other things. It may be left at any of them, which closes the
 * generator.
 */
export type Turns<T> = Generator<undefined, T, undefined>;

/** All of it now. */
export function atOnce<T>(work: Turns<T>): T {
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
  }
}

/** All of it, in as many turns of the event loop as it takes. */
export async function inTurns<T>(work: Turns<T>): Promise<T> {
  const hold = new Hold();
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
    if (hold.isLong) await hold.turn();
  }
}

/** Work that holds its thread, and looks now and then whether it is time to let go. */
export class Hold {
  #since = performance.now();
  #turning: Promise<void> | undefined;

  /** Whether the thread has been held for long enough, as far as this work knows. */
  get isLong(): boolean {
    return performance.now() - this.#since > LONGEST;
  }

  /** Let go for a turn. */
  turn(): Promise<void> {
    this.#turning ??= turn().then(() => {
      this.#turning = undefined;
      this.#since = performance.now();
    });
    return this.#turning;
  }

  /** Let go for a turn, if it is time to. */
  async rest(): Promise<void> {
    if (this.isLong) await this.turn();
  }
}
