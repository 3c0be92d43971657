/** Milliseconds of a nap: a read is later by half of it at most, on average. */
const NAP = 0.2;

/**
 * Keeps Dawn in Node from taking a core for itself: it learns what the device has done by asking it, in every turn of the event loop, for as
 * long as something is awaited. Where the device is the same CPU, as a software adapter is, each of those turns sleeps first.
 */
export class Naps {
  readonly #cell = new Int32Array(new SharedArrayBuffer(4));
  #awaited = 0;
  #turning = false;

  /** Nap until it is settled. */
  async while<T>(awaited: Promise<T>): Promise<T> {
    this.#awaited++;
    if (!this.#turning) this.#next();
    try {
      return await awaited;
    } finally {
      this.#awaited--;
    }
  }

  #next(): void {
    this.#turning = this.#awaited > 0;
    if (!this.#turning) return;
    setImmediate(() => {
      Atomics.wait(this.#cell, 0, 0, NAP);
      this.#next();
    });
  }
}
