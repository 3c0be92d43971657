import type { DeviceProgram, Turns } from "@finegrain/graph";
import type { Lowered } from "./lower.ts";
import type { Machine } from "./machine.ts";
import { ProgramRun } from "./program.ts";

/** Milliseconds between two turns. */
const TURN = 5;

interface Options<H> {
  readonly lowered: Lowered<H>;
  readonly machine: Machine<H>;
}

/** A program with what happens around its runs. */
export class TfjsProgram<H> implements DeviceProgram<H> {
  readonly #options: Options<H>;

  constructor(options: Options<H>) {
    this.#options = options;
  }

  /** @throws what the engine throws, as people read it. */
  *run(inputs: readonly H[]): Turns<readonly H[]> {
    const { machine } = this.#options;
    let run: ProgramRun<H> | undefined;
    let isOver = false;
    try {
      while (!isOver) {
        const end = performance.now() + TURN;
        const handles = machine.scope(() => {
          run ??= this.#begin(inputs);
          run.go(() => performance.now() > end);
          isOver = run.isOver;
          return isOver ? run.outputs() : run.held();
        });
        if (isOver) return handles;
        yield;
      }
      return [];
    } catch (cause) {
      throw this.#failure(cause);
    } finally {
      if (!isOver) for (const handle of run?.held() ?? []) machine.free(handle);
    }
  }

  #begin(inputs: readonly H[]): ProgramRun<H> {
    const { machine, lowered } = this.#options;
    return new ProgramRun(
      lowered.program,
      inputs.map((handle, i) => this.#take(handle, i)),
      machine,
    );
  }

  /** A tensor as the program takes its input number `i`. */
  #take(handle: H, i: number): H {
    const { machine, lowered } = this.#options;
    if (lowered.written.has(i)) return machine.inPlace.open(handle);
    machine.inPlace.lend(handle);
    return handle;
  }

  #failure(cause: unknown): unknown {
    return cause instanceof Error ? new Error(this.#options.machine.reasonOf(cause), { cause }) : cause;
  }

  [Symbol.dispose](): void {
    for (const [, handle] of this.#options.lowered.program.constants) this.#options.machine.free(handle);
  }
}
