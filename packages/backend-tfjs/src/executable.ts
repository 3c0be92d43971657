import { type Buffer, checkInputs, type Executable, FinegrainError, type Graph } from "@finegrain/graph";
import { TfjsBuffer } from "./buffer.ts";
import type { Lowered } from "./lower.ts";
import type { Machine } from "./machine.ts";
import { runProgram } from "./program.ts";

interface Options<H> {
  readonly graph: Graph;
  readonly lowered: Lowered<H>;
  readonly donated: ReadonlySet<number>;
  readonly machine: Machine<H>;
  /** What messages call the backend. */
  readonly backend: string;
}

/** A program with what happens around its runs. A run has happened when `run` returns, as far as the engine tells. */
export class TfjsExecutable<H> implements Executable {
  readonly #options: Options<H>;
  #open = true;

  constructor(options: Options<H>) {
    this.#options = options;
  }

  /** @throws FinegrainError where a buffer does not fit, was spent or is another backend's, or the engine fails. */
  run(inputs: readonly Buffer[]): Buffer[] {
    const { graph, donated, machine } = this.#options;
    if (!this.#open) throw new FinegrainError(`graph "${graph.name}" was run after its executable was disposed`);
    checkInputs(
      graph,
      inputs.map(({ type }) => type),
    );
    const buffers = inputs.map((buffer) => this.#own(buffer));
    for (const buffer of buffers) buffer.handle(); // throws where it is gone, before anything is spent
    const spent = buffers.filter((_, i) => donated.has(i));
    if (new Set(spent).size < spent.length || buffers.some((buffer, i) => !donated.has(i) && spent.includes(buffer)))
      throw new FinegrainError(`graph "${graph.name}" was given a buffer twice, and overwrites it`);
    const results = machine.scope(() => this.#run(buffers.map((buffer, i) => this.#take(buffer, i))));
    return graph.outputs.map(({ dtype, shape }, i) => new TfjsBuffer(machine, { dtype, shape }, results[i]!));
  }

  /** A buffer's tensor as the program takes its input number `i`. */
  #take(buffer: TfjsBuffer<H>, i: number): H {
    const { graph, donated, machine, lowered } = this.#options;
    const handle = donated.has(i) ? buffer.spend(graph.name) : buffer.handle();
    if (lowered.written.has(i)) return machine.inPlace.open(handle);
    machine.inPlace.lend(handle);
    return handle;
  }

  #run(handles: readonly H[]): H[] {
    const { graph, lowered, machine, backend } = this.#options;
    try {
      return runProgram(lowered.program, handles, machine);
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      // TensorFlow's binding puts the number of the status on a line of its own.
      const reason = message.replace(/^Invalid TF_Status: \d+\nMessage: /, "");
      throw new FinegrainError(`graph "${graph.name}" failed on ${backend}: ${reason}`, { cause });
    }
  }

  #own(buffer: Buffer): TfjsBuffer<H> {
    const { machine, graph } = this.#options;
    if (!(buffer instanceof TfjsBuffer) || buffer.machine !== machine)
      throw new FinegrainError(`graph "${graph.name}" was given a buffer of another backend`);
    return buffer;
  }

  [Symbol.dispose](): void {
    if (!this.#open) return;
    this.#open = false;
    for (const [, handle] of this.#options.lowered.program.constants) this.#options.machine.free(handle);
  }
}
