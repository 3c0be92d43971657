import { type DeviceProgram, FinegrainError } from "@finegrain/graph";
import type { Lowered } from "./lower.ts";
import type { Machine } from "./machine.ts";
import { runProgram } from "./program.ts";

interface Options<H> {
  /** What messages call the graph. */
  readonly name: string;
  readonly lowered: Lowered<H>;
  readonly machine: Machine<H>;
  /** What messages call the backend. */
  readonly backend: string;
}

/** A program with what happens around its runs. A run has happened when `run` returns, as far as the engine tells. */
export class TfjsProgram<H> implements DeviceProgram<H> {
  readonly #options: Options<H>;

  constructor(options: Options<H>) {
    this.#options = options;
  }

  /** @throws FinegrainError where the engine fails. */
  run(inputs: readonly H[]): H[] {
    return this.#options.machine.scope(() => this.#run(inputs.map((handle, i) => this.#take(handle, i))));
  }

  /** A tensor as the program takes its input number `i`. */
  #take(handle: H, i: number): H {
    const { machine, lowered } = this.#options;
    if (lowered.written.has(i)) return machine.inPlace.open(handle);
    machine.inPlace.lend(handle);
    return handle;
  }

  #run(handles: readonly H[]): H[] {
    const { name, lowered, machine, backend } = this.#options;
    try {
      return runProgram(lowered.program, handles, machine);
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      // TensorFlow's binding puts the number of the status on a line of its own.
      const reason = message.replace(/^Invalid TF_Status: \d+\nMessage: /, "");
      throw new FinegrainError(`graph "${name}" failed on ${backend}: ${reason}`, { cause });
    }
  }

  [Symbol.dispose](): void {
    for (const [, handle] of this.#options.lowered.program.constants) this.#options.machine.free(handle);
  }
}
