import { FinegrainError } from "@finegrain/graph";
import { Unsupported } from "./case.ts";

/** Arguments that change no number: how weights start, how they are stored, how much memory a computation takes. */
const HARMLESS =
  /initializer|^init_|^dropout_shared_axes$|^max_inference_length$|^(attention|ff)_chunk_size$|^max_len$/;
/** Arguments that change nothing outside training. */
const TRAINING_ONLY = /dropout/;

const isOff = (value: unknown): boolean =>
  value === null || value === false || value === 0 || value === "None" || value === "";

/**
 * The arguments that the original layer was made with. What is never read is an option that nobody looked at, which
 * {@link expectAllRead} refuses, so that no case passes because an option was overlooked.
 */
export class Arguments {
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #read = new Set<string>();

  constructor(values: Readonly<Record<string, unknown>>) {
    this.#values = values;
  }

  /** @throws FinegrainError where `json` is no object. */
  static parse(json: string | undefined): Arguments {
    const values: unknown = JSON.parse(json ?? "{}");
    if (typeof values !== "object" || values === null || Array.isArray(values))
      throw new FinegrainError(`its arguments are ${json}, expected an object`);
    return new Arguments(values as Record<string, unknown>);
  }

  /** The value as it stands, undefined where there is none. */
  any(name: string): unknown {
    this.#read.add(name);
    return this.#values[name];
  }

  number(name: string, otherwise?: number): number {
    const value = this.any(name) ?? otherwise;
    if (typeof value !== "number") throw new FinegrainError(`its argument ${name} is ${value}, expected a number`);
    return value;
  }

  boolean(name: string, otherwise: boolean): boolean {
    const value = this.any(name) ?? otherwise;
    if (typeof value !== "boolean") throw new FinegrainError(`its argument ${name} is ${value}, expected a boolean`);
    return value;
  }

  text(name: string, otherwise: string): string {
    const value = this.any(name) ?? otherwise;
    if (typeof value !== "string") throw new FinegrainError(`its argument ${name} is ${value}, expected a name`);
    return value;
  }

  /** One of `allowed`. @throws Unsupported where it is another. */
  oneOf<T extends string>(name: string, allowed: readonly T[], otherwise: T): T {
    const value = this.text(name, otherwise);
    const found = allowed.find((choice) => choice === value);
    if (found === undefined) throw new Unsupported(`${name} "${value}"`);
    return found;
  }

  /** @throws Unsupported where an argument that could matter was never read. */
  expectAllRead(mode: string): void {
    for (const [name, value] of Object.entries(this.#values)) {
      if (this.#read.has(name) || isOff(value) || HARMLESS.test(name)) continue;
      if (mode !== "train" && TRAINING_ONLY.test(name)) continue;
      throw new Unsupported(`the argument ${name} = ${JSON.stringify(value)}`);
    }
  }
}
