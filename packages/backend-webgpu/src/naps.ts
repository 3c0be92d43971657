/** Milliseconds of the first naps. */
const SHORTEST = 0.2;
/** A later nap is as much of what was waited before it: a read is later by half of that at most, on average. */
const SHARE = 1 / 16;
/** Milliseconds of a nap at most: a keyboard, a timer or a page that this process serves is not kept waiting while a shader compiles. */
const LONGEST = 5;

/**
 * Keeps Dawn in Node from taking a core for itself: it learns what the device has done by asking it, in every turn of the event loop, for as
 * long as something is awaited. Where the device is the same CPU, as a software adapter is, each of those turns sleeps first: shortly
 * at the beginning, and longer the longer nothing comes.
 */
export class Naps {
  readonly #cell = new Int32Array(new SharedArrayBuffer(4));
  #awaited = 0;
  #turning = false;
  /** When something was last awaited for the first time, or settled. */
  #since = 0;

  /** Nap until it is settled. */
  async while<T>(awaited: Promise<T>): Promise<T> {
    this.#awaited++;
    if (!this.#turning) {
      this.#since = performance.now();
      this.#next();
    }
    try {
      return await awaited;
    } finally {
      this.#awaited--;
      this.#since = performance.now();
    }
  }

  #next(): void {
    this.#turning = this.#awaited > 0;
    if (!this.#turning) return;
    setImmediate(() => {
      const share = SHARE * (performance.now() - this.#since);
      Atomics.wait(this.#cell, 0, 0, Math.min(LONGEST, Math.max(SHORTEST, share)));
      this.#next();
    });
  }
}
