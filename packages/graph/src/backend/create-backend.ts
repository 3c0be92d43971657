import { FinegrainError } from "../errors.ts";
import type { Graph } from "../graph.ts";
import type { HostTensor, Tensor, TensorType } from "../tensor.ts";
import { sameType, typeName } from "../tensor.ts";
import { type Like, Outline } from "../tree.ts";
import type { Backend, Buffer, CompileOptions, Executable, KernelTime, StopSignal } from "./backend.ts";
import { donations } from "./donations.ts";
import type { DeviceProgram, Driver } from "./driver.ts";
import { Cell, RunQueue } from "./queue.ts";

/** A backend of a device: the life cycle of buffers and executables, and the trees of a graph around its lists. */
export function createBackend<Value>(driver: Driver<Value>): Backend {
  const home = new Home(driver);
  return {
    name: driver.name,
    device: driver.device,
    unsupported: driver.unsupported,
    ...(driver.storage && { storage: driver.storage }),
    ...(driver.memoryInUse && { memoryInUse: () => driver.memoryInUse!() }), // there is one
    upload: (value) => home.upload(value),
    compile: (graph, options = {}) => home.compile(graph, options),
    [Symbol.asyncDispose]: () => home.close(),
  };
}

/** Where the buffers of a backend belong. */
class Home<Value> {
  readonly driver: Driver<Value>;
  readonly queue: RunQueue<Value>;
  /** Runs so far, of all executables. */
  runs = 0;
  #open = true;

  constructor(driver: Driver<Value>) {
    this.driver = driver;
    this.queue = new RunQueue(driver);
  }

  /** @throws FinegrainError once the backend was disposed. */
  expectOpen(): void {
    if (!this.#open) throw this.#closed();
  }

  upload(value: HostTensor): Buffer {
    this.expectOpen();
    const { dtype, shape } = value;
    const buffer = new DeviceBuffer(this, { dtype, shape: [...shape] });
    buffer.cell().value = this.driver.upload(value);
    return buffer;
  }

  async compile<I, O>(graph: Graph<I, O>, { donate = [], profile = false }: CompileOptions): Promise<Executable<I, O>> {
    this.expectOpen();
    const lists = graph as unknown as Graph; // which is all that a driver sees of it
    const pairs = donations(lists, donate);
    const program = await this.driver.compile(lists, { donate: pairs, profile });
    return new DeviceExecutable(this, graph, program, new Set(pairs.map(([input]) => input)));
  }

  async close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await this.queue.close(this.#closed());
    await this.driver[Symbol.asyncDispose]();
  }

  #closed(): FinegrainError {
    return new FinegrainError(`${this.driver.name} was closed: open the backend again`);
  }
}

/** A value of a device, or of a run to come, until it is disposed or donated. */
class DeviceBuffer<Value> implements Buffer {
  readonly type: TensorType;
  readonly home: Home<Value>;
  /** The number of the last run that it was donated to. */
  donatedTo = 0;
  readonly #cell: Cell<Value>;
  /** What became of it. */
  #gone: string | undefined;

  constructor(home: Home<Value>, type: TensorType) {
    this.home = home;
    this.type = type;
    this.#cell = new Cell(type);
  }

  /** @param use what it is needed for. @throws FinegrainError where it is gone. */
  cell(use?: { readonly graph: string; readonly path: string }): Cell<Value> {
    if (this.#gone === undefined) return this.#cell;
    const as = use ? `, as "${use.path}" of graph "${use.graph}"` : "";
    throw new FinegrainError(`a buffer of ${typeName(this.type)} was used after it was ${this.#gone}${as}`);
  }

  read(signal?: StopSignal): Promise<HostTensor> {
    return this.#once((value) => this.home.driver.read(value, this.type), signal);
  }

  made(): Promise<void> {
    return this.#once(async () => {});
  }

  /** What `read` makes of the value once it is there. */
  async #once<T>(read: (value: Value) => Promise<T>, signal?: StopSignal): Promise<T> {
    const cell = this.cell();
    this.home.expectOpen();
    return this.home.queue.read(cell, read, signal);
  }

  spend(run: string): void {
    this.#gone = `donated to a run of "${run}"`;
  }

  [Symbol.dispose](): void {
    if (this.#gone !== undefined) return;
    this.#gone = "disposed";
    this.home.queue.release(this.#cell);
  }
}

class DeviceExecutable<I, O, Value> implements Executable<I, O> {
  readonly dispatches?: number;
  readonly profile?: () => KernelTime[];
  readonly #home: Home<Value>;
  readonly #name: string;
  readonly #program: DeviceProgram<Value>;
  readonly #inputs: Outline<I>;
  readonly #inputTypes: readonly TensorType[];
  readonly #uses: readonly { readonly graph: string; readonly path: string }[];
  readonly #outputs: Outline<O>;
  readonly #outputTypes: readonly TensorType[];
  readonly #donated: ReadonlySet<number>;
  #open = true;

  constructor(home: Home<Value>, graph: Graph<I, O>, program: DeviceProgram<Value>, donated: ReadonlySet<number>) {
    this.#home = home;
    this.#name = graph.name;
    this.#program = program;
    this.#inputs = new Outline(graph.takes);
    this.#inputTypes = graph.inputs.map(typeOf);
    this.#uses = this.#inputs.paths.map((path) => ({ graph: graph.name, path }));
    this.#outputs = new Outline(graph.gives);
    this.#outputTypes = graph.outputs.map(typeOf);
    this.#donated = donated;
    if (program.dispatches !== undefined) this.dispatches = program.dispatches;
    if (program.profile) this.profile = () => program.profile!();
  }

  run(inputs: Like<I, Buffer>): Like<O, Buffer> {
    if (!this.#open) throw new FinegrainError(`graph "${this.#name}" was run after its executable was disposed`);
    this.#home.expectOpen();
    const buffers = this.#inputs.list<Buffer>(inputs, `graph "${this.#name}"`);
    const cells = this.#take(buffers);
    for (const i of this.#donated) (buffers[i] as DeviceBuffer<Value>).spend(this.#name); // `#take` has seen to it
    const results = this.#outputTypes.map((type) => new DeviceBuffer(this.#home, type));
    this.#home.queue.add({
      graph: this.#name,
      program: this.#program,
      inputs: cells,
      donated: this.#donated,
      outputs: results.map((result) => result.cell()),
    });
    return this.#outputs.tree<Buffer>(results);
  }

  /** What a run is given, which is refused as a whole where one cannot be. */
  #take(buffers: readonly Buffer[]): Cell<Value>[] {
    const run = ++this.#home.runs;
    const cells = buffers.map((buffer, i) => this.#own(buffer, i));
    for (const i of this.#donated) {
      const buffer = buffers[i] as DeviceBuffer<Value>; // `#own` has seen to it
      if (buffer.donatedTo === run) this.#refuseTwice(buffers, buffer);
      buffer.donatedTo = run;
    }
    if (this.#donated.size > 0)
      for (let i = 0; i < buffers.length; i++) {
        const buffer = buffers[i] as DeviceBuffer<Value>;
        if (buffer.donatedTo === run && !this.#donated.has(i)) this.#refuseTwice(buffers, buffer);
      }
    return cells;
  }

  #own(buffer: Buffer, i: number): Cell<Value> {
    const expected = this.#inputTypes[i]!;
    if (!sameType(buffer.type, expected))
      throw new FinegrainError(
        `input ${this.#inputs.paths[i]} of graph "${this.#name}" is ${typeName(buffer.type)}, expected ${typeName(expected)}`,
      );
    if (!(buffer instanceof DeviceBuffer) || buffer.home !== this.#home)
      throw new FinegrainError(
        `graph "${this.#name}" was given a buffer of another backend as "${this.#inputs.paths[i]}"`,
      );
    return buffer.cell(this.#uses[i]);
  }

  #refuseTwice(buffers: readonly Buffer[], buffer: Buffer): never {
    const [first, second] = [buffers.indexOf(buffer), buffers.lastIndexOf(buffer)].map((i) => this.#inputs.paths[i]);
    throw new FinegrainError(
      `graph "${this.#name}" was given a buffer twice, as "${first}" and "${second}", and overwrites it`,
    );
  }

  [Symbol.dispose](): void {
    if (!this.#open) return;
    this.#open = false;
    this.#home.queue.retire(this.#program);
  }
}

const typeOf = ({ dtype, shape }: Tensor): TensorType => ({ dtype, shape });
