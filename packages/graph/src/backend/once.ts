/** What is made once for each key, when it is first asked for. What could not be made is tried again by whoever asks next. */
export class Once<Key, Value> {
  readonly #made = new Map<Key, Promise<Value>>();

  get(key: Key, make: () => Promise<Value>): Promise<Value> {
    const known = this.#made.get(key);
    if (known !== undefined) return known;
    const making = make().catch((error: unknown) => {
      if (this.#made.get(key) === making) this.#made.delete(key);
      throw error;
    });
    this.#made.set(key, making);
    return making;
  }

  /** Forget all. @returns what was made, once it is: what could not be has told so where it was needed. */
  async clear(): Promise<Value[]> {
    const made = [...this.#made.values()];
    this.#made.clear();
    const results = await Promise.allSettled(made);
    return results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  }
}
