import { FinegrainError } from "../errors.ts";
import type { TensorType } from "../tensor.ts";
import type { StopSignal } from "./backend.ts";
import type { DeviceProgram, Driver } from "./driver.ts";
import { Hold, type Turns } from "./turn.ts";

/** A value of a device, or what a run is to leave there. */
export class Cell<Value> {
  readonly type: TensorType;
  /** Once it is there, until nobody needs it. */
  value: Value | undefined;
  /** Why it will never be there: the error of the run that should have made it. */
  failure: { readonly reason: unknown } | undefined;
  /** Buffers, runs and reads that need it. */
  holders = 1;
  /** Reads that wait for it: called at once when it is there, or never will be. */
  readers: readonly (() => void)[] = NOBODY;
  /** Before it is there. */
  maker: Run<Value> | undefined;

  constructor(type: TensorType) {
    this.type = type;
  }
}

const NOBODY: readonly never[] = [];

/** A program that is to be run, or is being run. */
export interface Run<Value> {
  readonly graph: string;
  readonly program: DeviceProgram<Value>;
  readonly inputs: readonly Cell<Value>[];
  /** Inputs that are the run's own. */
  readonly donated: ReadonlySet<number>;
  readonly outputs: readonly Cell<Value>[];
}

/** What came of a run. */
type Outcome<Value> = { readonly values: readonly Value[] } | { readonly failure: { readonly reason: unknown } };

/**
 * The runs of a backend, one behind the other. One begins at once where none is before it; where the thread has been held for long they go on in
 * later turns of the event loop. A run whose results nobody needs any more is left.
 */
export class RunQueue<Value> {
  readonly #driver: Pick<Driver<Value>, "name" | "free">;
  readonly #runs: Run<Value>[] = [];
  /** Reads of what is there, which come before all that is still to begin. */
  readonly #reads: (() => void)[] = [];
  /** Programs that are disposed once no run of theirs is left. */
  readonly #retired = new Set<DeviceProgram<Value>>();
  readonly #hold = new Hold();
  /** What the first run is doing, if it has begun. */
  #begun: Turns<readonly Value[]> | Promise<void> | undefined;
  #isResting = false;

  constructor(driver: Pick<Driver<Value>, "name" | "free">) {
    this.#driver = driver;
  }

  /** A run whose outputs are held. Of what is donated it takes over the caller's hold. */
  add(run: Run<Value>): void {
    for (const cell of run.inputs) cell.holders++;
    for (const i of run.donated) run.inputs[i]!.holders--;
    for (const cell of run.outputs) cell.maker = run;
    this.#runs.push(run);
    this.#work();
  }

  /** Let go of a cell. What nobody holds is freed, or is not made. */
  release(cell: Cell<Value>): void {
    if (--cell.holders > 0) return;
    this.#free(cell);
    const { maker } = cell;
    if (maker?.outputs.every(({ holders }) => holders === 0)) this.#leave(maker);
  }

  /**
   * What `read` makes of a value: it is called before any later run.
   * @throws the error of the run that should have made the value; the signal's reason where that is aborted first.
   */
  async read<T>(cell: Cell<Value>, read: (value: Value) => Promise<T>, signal?: StopSignal): Promise<T> {
    signal?.throwIfAborted();
    const found = await (cell.maker ? this.#readOnceMade(cell, read, signal) : this.#readMade(cell, read));
    await this.#hold.rest();
    return found;
  }

  /** At once, or where the thread has been held for long in a later turn: many reads take long together. */
  #readMade<T>(cell: Cell<Value>, read: (value: Value) => Promise<T>): Promise<T> {
    if (!this.#hold.isLong && this.#reads.length === 0) return readNow(cell, read);
    cell.holders++;
    return new Promise((resolve) => {
      this.#reads.push(() => {
        resolve(readNow(cell, read));
        this.release(cell);
      });
      this.#work();
    });
  }

  /** Dispose a program, behind the last of its runs. */
  retire(program: DeviceProgram<Value>): void {
    this.#retired.add(program);
    this.#disposeRetired(program);
  }

  /** Leave all that can be left: whoever waits for it is told why. Resolves when nothing is under way. */
  async close(reason: FinegrainError): Promise<void> {
    for (const run of [...this.#runs]) this.#leave(run, reason);
    for (const read of this.#reads.splice(0)) read();
    if (this.#begun instanceof Promise) await this.#begun;
  }

  #readOnceMade<T>(cell: Cell<Value>, read: (value: Value) => Promise<T>, signal?: StopSignal): Promise<T> {
    cell.holders++;
    return new Promise((resolve, reject) => {
      const made = (): void => {
        signal?.removeEventListener("abort", aborted);
        resolve(readNow(cell, read));
        this.release(cell);
      };
      const aborted = (): void => {
        cell.readers = cell.readers.filter((reader) => reader !== made);
        reject(signal!.reason as Error); // there is one, which was aborted
        this.release(cell);
      };
      cell.readers = [...cell.readers, made];
      signal?.addEventListener("abort", aborted, { once: true });
    });
  }

  /** Go on with the runs until there are none, or something else is to have its turn. */
  #work(): void {
    while (!this.#isResting) {
      const [read, run] = [this.#reads[0], this.#runs[0]];
      if (!read && (!run || this.#begun instanceof Promise)) return;
      if (this.#hold.isLong) this.#rest();
      else if (read) this.#reads.shift()!();
      else this.#advance(run!, this.#begun as Turns<readonly Value[]> | undefined);
    }
  }

  #rest(): void {
    this.#isResting = true;
    void this.#hold.turn().then(() => {
      this.#isResting = false;
      this.#work();
    });
  }

  #advance(run: Run<Value>, begun: Turns<readonly Value[]> | undefined): void {
    const outcome = attempt(() => {
      const at = begun ?? this.#begin(run);
      if (at instanceof Promise) this.#begun = this.#await(run, at);
      else if (!("next" in at)) return { values: at };
      else {
        this.#begun = at;
        const { done, value } = at.next();
        if (done) return { values: value };
      }
      return undefined;
    });
    if (outcome) this.#end(run, outcome);
  }

  #begin({ inputs, donated, program }: Run<Value>): ReturnType<DeviceProgram<Value>["run"]> {
    for (const { failure } of inputs) if (failure) throw failure.reason;
    const values = inputs.map(({ value }) => value!); // the runs that make them are over
    for (const i of donated) inputs[i]!.value = undefined; // from here on it is the program's
    return program.run(values);
  }

  async #await(run: Run<Value>, values: Promise<readonly Value[]>): Promise<void> {
    const outcome = await values.then(
      (values) => ({ values }),
      (reason: unknown) => ({ failure: { reason } }),
    );
    this.#end(run, outcome);
    this.#work();
  }

  /** Take a run that is over off the queue. */
  #end(run: Run<Value>, outcome: Outcome<Value>): void {
    this.#remove(run);
    // Made where somebody is told: most runs that are left are nobody's.
    let failure: Cell<Value>["failure"];
    run.outputs.forEach((cell, i) => {
      cell.maker = undefined;
      if ("values" in outcome) cell.value = outcome.values[i]!;
      else if (cell.holders > 0) cell.failure = failure ??= { reason: this.#failure(run, outcome.failure.reason) };
      const { readers } = cell;
      cell.readers = NOBODY;
      for (const read of readers) read();
      if (cell.holders === 0) this.#free(cell);
    });
    for (const cell of run.inputs) this.release(cell);
    this.#disposeRetired(run.program);
  }

  /** Take a run off the queue that is not over, unless the device cannot stop it. @param reason told to who waits for it, if anybody does. */
  #leave(run: Run<Value>, reason?: FinegrainError): void {
    if (run === this.#runs[0] && this.#begun) {
      if (this.#begun instanceof Promise) return;
      this.#begun.return([]);
    }
    this.#end(run, { failure: { reason } });
  }

  #remove(run: Run<Value>): void {
    const at = this.#runs.indexOf(run);
    this.#runs.splice(at, 1);
    if (at === 0) this.#begun = undefined;
  }

  #failure({ graph }: Run<Value>, cause: unknown): unknown {
    if (cause instanceof FinegrainError) return cause;
    const reason = cause instanceof Error ? cause.message : cause;
    return new FinegrainError(`graph "${graph}" failed on ${this.#driver.name}: ${reason}`, { cause });
  }

  #free(cell: Cell<Value>): void {
    if (cell.value !== undefined) this.#driver.free(cell.value, cell.type);
    cell.value = undefined;
  }

  #disposeRetired(program: DeviceProgram<Value>): void {
    if (!this.#retired.has(program) || this.#runs.some((run) => run.program === program)) return;
    this.#retired.delete(program);
    program[Symbol.dispose]();
  }
}

async function readNow<Value, T>({ value, failure }: Cell<Value>, read: (value: Value) => Promise<T>): Promise<T> {
  if (failure) throw failure.reason;
  return read(value!); // it was made, and whoever reads holds it
}

/** What came of an attempt, if it was the end. */
function attempt<Value>(go: () => Outcome<Value> | undefined): Outcome<Value> | undefined {
  try {
    return go();
  } catch (reason) {
    return { failure: { reason } };
  }
}
