import { Once } from "@finegrain/graph";

/** What is compiled once it is needed. */
export class Lazy<E extends Disposable> {
  readonly #compile: () => Promise<E>;
  readonly #once = new Once<undefined, E>();

  constructor(compile: () => Promise<E>) {
    this.#compile = compile;
  }

  get(): Promise<E> {
    return this.#once.get(undefined, this.#compile);
  }

  async dispose(): Promise<void> {
    for (const compiled of await this.#once.clear()) compiled[Symbol.dispose]();
  }
}
