import { FinegrainError } from "../errors.ts";
import type { Graph } from "../graph.ts";
import type { HostTensor, Tensor, TensorType } from "../tensor.ts";
import { sameType, typeName } from "../tensor.ts";
import { type Like, Outline } from "../tree.ts";
import type { Backend, Buffer, CompileOptions, Executable, KernelTime } from "./backend.ts";
import { type Donations, donations } from "./donations.ts";

/**
 * What a device does for a backend: it holds values and runs programs over lists of them. It is never asked for a value that is gone,
 * of another device or of another type than the graph's: {@link createBackend} sees to that.
 */
export interface Driver<Value>
  extends Pick<Backend, "name" | "device" | "unsupported" | "storage" | "memoryInUse" | keyof AsyncDisposable> {
  /** Copy a value to the device. */
  upload(value: HostTensor): Value;
  /** A copy of the numbers. Rejects with the error of the run that should have made them. */
  read(value: Value, type: TensorType): Promise<HostTensor>;
  /** Called once for every value that was uploaded or returned by a run, unless it was donated. */
  free(value: Value, type: TensorType): void;
  compile(graph: Graph, options: DriverOptions): Promise<DeviceProgram<Value>>;
}

export interface DriverOptions {
  readonly donate: Donations;
  readonly profile: boolean;
}

/** A compiled graph on a device. */
export interface DeviceProgram<Value> extends Disposable {
  /**
   * Values of the graph's inputs for those of its outputs. Donated ones are the run's own, even where it throws: it hands them on in
   * outputs or frees them.
   */
  run(inputs: readonly Value[]): readonly Value[];
  readonly dispatches?: number;
  profile?(): KernelTime[];
}

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
  /** Runs so far, of all executables. */
  runs = 0;
  #open = true;

  constructor(driver: Driver<Value>) {
    this.driver = driver;
  }

  /** @throws FinegrainError once the backend was disposed. */
  expectOpen(): void {
    if (!this.#open) throw new FinegrainError(`${this.driver.name} was closed: open the backend again`);
  }

  upload(value: HostTensor): Buffer {
    this.expectOpen();
    const { dtype, shape } = value;
    return new DeviceBuffer(this, { dtype, shape: [...shape] }, this.driver.upload(value));
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
    await this.driver[Symbol.asyncDispose]();
  }
}

/** A value of a device until it is disposed or donated. */
class DeviceBuffer<Value> implements Buffer {
  readonly type: TensorType;
  readonly home: Home<Value>;
  /** The number of the last run that it was donated to. */
  donatedTo = 0;
  #value: Value | undefined;
  /** What became of it. */
  #gone: string | undefined;

  constructor(home: Home<Value>, type: TensorType, value: Value) {
    this.home = home;
    this.type = type;
    this.#value = value;
  }

  /** @param use what it is needed for. @throws FinegrainError where it is gone. */
  value(use?: { readonly graph: string; readonly path: string }): Value {
    if (this.#gone === undefined) return this.#value!; // until it is gone
    const as = use ? `, as "${use.path}" of graph "${use.graph}"` : "";
    throw new FinegrainError(`a buffer of ${typeName(this.type)} was used after it was ${this.#gone}${as}`);
  }

  async read(): Promise<HostTensor> {
    const value = this.value();
    this.home.expectOpen();
    return this.home.driver.read(value, this.type);
  }

  spend(run: string): void {
    this.#gone = `donated to a run of "${run}"`;
    this.#value = undefined;
  }

  [Symbol.dispose](): void {
    if (this.#gone !== undefined) return;
    const value = this.value();
    this.#gone = "disposed";
    this.#value = undefined;
    this.home.driver.free(value, this.type);
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
    const values = this.#take(buffers);
    for (const i of this.#donated) (buffers[i] as DeviceBuffer<Value>).spend(this.#name); // `#take` has seen to it
    const results = this.#program.run(values);
    return this.#outputs.tree(results.map((value, i) => new DeviceBuffer(this.#home, this.#outputTypes[i]!, value)));
  }

  /** The values of what a run is given, which is refused as a whole where one cannot be. */
  #take(buffers: readonly Buffer[]): Value[] {
    const run = ++this.#home.runs;
    const values = buffers.map((buffer, i) => this.#own(buffer, i));
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
    return values;
  }

  #own(buffer: Buffer, i: number): Value {
    const expected = this.#inputTypes[i]!;
    if (!sameType(buffer.type, expected))
      throw new FinegrainError(
        `input ${this.#inputs.paths[i]} of graph "${this.#name}" is ${typeName(buffer.type)}, expected ${typeName(expected)}`,
      );
    if (!(buffer instanceof DeviceBuffer) || buffer.home !== this.#home)
      throw new FinegrainError(
        `graph "${this.#name}" was given a buffer of another backend as "${this.#inputs.paths[i]}"`,
      );
    return buffer.value(this.#uses[i]);
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
    this.#program[Symbol.dispose]();
  }
}

const typeOf = ({ dtype, shape }: Tensor): TensorType => ({ dtype, shape });
