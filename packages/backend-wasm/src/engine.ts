import { Arena, fusing, type Program } from "@finegrain/codegen";
import { type DriverOptions, FinegrainError, type Graph, inTurns } from "@finegrain/graph";
import { Clock } from "./clock.ts";
import { control } from "./control.ts";
import { Memory } from "./memory.ts";
import type { Target } from "./render/kernel.ts";
import { type Layout, POINTER_BYTES, partName, rendering } from "./render/render-program.ts";
import { Workers } from "./workers.ts";

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
  /** What the thread that calls does of a run, part by part. */
  readonly parts: readonly ((thread: number, maySleep: number) => void)[];
}

/** A memory, the threads over it, and the programs that they can run. */
export class Engine {
  readonly name: string;
  readonly target: Target;
  readonly memory: Memory;
  readonly #workers: Workers;
  #programs = 0;
  #failed = false;

  private constructor(name: string, target: Target, memory: Memory, workers: Workers) {
    this.name = name;
    this.target = target;
    this.memory = memory;
    this.#workers = workers;
  }

  /** @throws NoWorkersError where more than one thread is wanted and there is but one. */
  static async open(name: string, target: Target): Promise<Engine> {
    const memory = new Memory({ wide: target.wide, shared: target.threads > 1 });
    return new Engine(name, target, memory, await Workers.start(memory.memory, target.threads - 1));
  }

  async load(graph: Graph, { donate, profile }: DriverOptions): Promise<Loaded> {
    const program = await inTurns(fusing(graph, donate, { int4: true }));
    const rendered = await inTurns(rendering(program, this.target, { memory: this.memory.import, profile }));
    const { plan } = rendered;
    const clock = profile ? new Clock(rendered.steps.map(({ kernel }) => kernel)) : undefined;
    // One piece, so that a program has room for all of its parts or takes none.
    const parts = new Arena();
    const [arena, table, scratch] = [
      parts.take(plan.bytes),
      parts.take(POINTER_BYTES * (program.inputs.length + program.outputs.length)),
      parts.take(rendered.scratchBytes * this.target.threads),
    ];
    const { bytes } = parts;
    const start = this.memory.take(bytes);
    const layout = { arena: start + arena, table: start + table, scratch: start + scratch };
    const code = await inTurns(rendered.encoding(layout));
    for (const [{ dtype, place }, offset] of plan.offsets)
      if (place.kind === "constant") this.memory.view(dtype, layout.arena + offset, place.data.length).set(place.data);
    const module = await WebAssembly.compile(code);
    const instance = await WebAssembly.instantiate(module, {
      env: { memory: this.memory.memory, mark: (step: number) => clock?.mark(step) },
    });
    const number = this.#programs++;
    await this.#workers.load(number, module);
    const calls = Array.from({ length: rendered.parts }, (_, part) => instance.exports[partName(part)]);
    return { program, clock, layout, start, bytes, number, parts: calls as unknown as Loaded["parts"] }; // as partFunction wrote them
  }

  unload({ start, bytes, number }: Loaded): void {
    this.memory.give(start, bytes);
    this.#workers.drop(number);
  }

  /**
   * Run a part of a program.
   * @throws what the program threw; after that the threads no longer agree on where they are, and nothing can be run.
   */
  runPart({ number, parts, clock }: Loaded, part: number): void {
    if (this.#failed) throw new FinegrainError(`${this.name} cannot go on after a run that failed: open it again`);
    clock?.goOn();
    this.#workers.begin(number, part);
    try {
      parts[part]!(0, mayWait ? 1 : 0);
    } catch (error) {
      this.#failed = true;
      new Int32Array(this.memory.memory.buffer)[control.failed / 4] = 1;
      throw error;
    }
  }

  dispose(): void {
    this.#workers.stop();
  }
}

/** A page's main thread must not sleep. */
const mayWait = typeof document === "undefined";
