import { bytesOfType, type Program } from "@finegrain/codegen";
import { type Buffer, checkInputs, type Executable, FinegrainError, type KernelTime } from "@finegrain/graph";
import { WasmBuffer } from "./buffer.ts";
import type { Clock } from "./clock.ts";
import type { Engine } from "./engine.ts";
import { type Layout, POINTER_BYTES } from "./render/render-program.ts";

/** A program in the engine's memory. */
export interface Loaded {
  readonly program: Program;
  readonly layout: Layout;
  /** The address of all of it, and how many bytes it is. */
  readonly start: number;
  readonly bytes: number;
  /** Where the program was compiled with `profile`. */
  readonly clock: Clock | undefined;
  /** Of the engine's programs. */
  readonly number: number;
  readonly run: (thread: number, maySleep: number) => void;
}

/** A module whose one call is a run. */
export class WasmExecutable implements Executable {
  readonly #engine: Engine;
  readonly #loaded: Loaded;
  readonly #donated: ReadonlySet<number>;
  #open = true;
  readonly profile?: () => KernelTime[];

  constructor(engine: Engine, loaded: Loaded, donated: ReadonlySet<number>) {
    this.#engine = engine;
    this.#loaded = loaded;
    this.#donated = donated;
    const { clock } = loaded;
    if (clock) this.profile = () => clock.take();
  }

  run(inputs: readonly Buffer[]): Buffer[] {
    const { graph } = this.#loaded.program;
    if (!this.#open) throw new FinegrainError(`graph "${graph.name}" was run after its executable was disposed`);
    checkInputs(
      graph,
      inputs.map(({ type }) => type),
    );
    const given = inputs.map((buffer) => this.#own(buffer));
    const spent = given.filter((_, i) => this.#donated.has(i));
    if (new Set(spent).size < spent.length)
      throw new FinegrainError(`graph "${graph.name}" was given a buffer twice among the inputs that it overwrites`);
    const { program } = this.#loaded;
    const kept = new Set(program.outputs.flatMap(({ place }) => (place.kind === "input" ? [place.index] : [])));
    const [addresses, failure] = this.#attempt(given);
    given.forEach((buffer, i) => {
      if (this.#donated.has(i)) buffer.spend(graph.name, kept.has(i) && failure === undefined);
    });
    return graph.outputs.map(({ dtype, shape }, i) => {
      return new WasmBuffer(this.#engine.memory, { dtype, shape }, addresses[i] ?? 0, failure);
    });
  }

  #own(buffer: Buffer): WasmBuffer {
    if (buffer instanceof WasmBuffer && buffer.memory === this.#engine.memory) return buffer;
    throw new FinegrainError(`graph "${this.#loaded.program.name}" was given a buffer of another backend`);
  }

  /** The outputs' addresses, or why there are none. */
  #attempt(given: readonly WasmBuffer[]): [addresses: number[], failure?: unknown] {
    const { program, layout } = this.#loaded;
    const { memory } = this.#engine;
    const taken: [address: number, bytes: number][] = [];
    try {
      const inputs = given.map((buffer) => buffer.address());
      const outputs = program.outputs.map(({ place }, i) => {
        if (place.kind === "input") return inputs[place.index]!;
        const bytes = bytesOfType(program.graph.outputs[i]!);
        const address = memory.take(bytes);
        taken.push([address, bytes]);
        return address;
      });
      const words = memory.view("int32", layout.table, (POINTER_BYTES / 4) * (inputs.length + outputs.length));
      [...inputs, ...outputs].forEach((address, i) => {
        words[2 * i] = address;
        words[2 * i + 1] = Math.floor(address / 2 ** 32);
      });
      this.#engine.run(this.#loaded);
      return [outputs];
    } catch (cause) {
      for (const [address, bytes] of taken) memory.give(address, bytes);
      if (cause instanceof FinegrainError) return [[], cause];
      const reason = cause instanceof Error ? cause.message : cause;
      return [[], new FinegrainError(`graph "${program.name}" failed on ${this.#engine.name}: ${reason}`, { cause })];
    }
  }

  [Symbol.dispose](): void {
    if (!this.#open) return;
    this.#open = false;
    this.#engine.unload(this.#loaded);
  }
}
