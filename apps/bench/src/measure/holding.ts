/** What is to be freed together. */
export class Held implements Disposable {
  readonly #resources: Disposable[] = [];

  add<R extends Disposable>(resource: R): R {
    this.#resources.push(resource);
    return resource;
  }

  [Symbol.dispose](): void {
    for (const resource of this.#resources.splice(0)) resource[Symbol.dispose]();
  }
}

/** Make something out of resources that it will own: they are freed where making it fails half-way. */
export async function holding<T>(make: (held: Held) => Promise<T>): Promise<T> {
  const held = new Held();
  try {
    return await make(held);
  } catch (error) {
    held[Symbol.dispose]();
    throw error;
  }
}
