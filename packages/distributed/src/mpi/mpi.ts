import { writeSync } from "node:fs";
import { hostname } from "node:os";
import { FinegrainError } from "@finegrain/graph";
import { type Communicator, expectParts, type Numbers, type Reduction } from "../communicator.ts";
import { type Calls, callsOf } from "./calls.ts";
import { type Flavor, flavorOf } from "./flavor.ts";
import { launchedSize, loadLibrary } from "./library.ts";

export interface MpiOptions {
  /** The library's name or path. Default: that of Open MPI or of MPICH, whichever started this process. */
  readonly library?: string | undefined;
}

/** MPI counts in 32 bits. */
const MOST = 2 ** 31 - 1;
/** Milliseconds between two looks at whether all ranks have come to a barrier. */
const BARRIER_MILLISECONDS = 2;
/** Looks at whether another message has come, before there is any rest between them; and the longest of these, in milliseconds. */
const EAGER_LOOKS = 100;
const LONGEST_REST = 0.5;
/** Milliseconds that the launcher has to read what a rank wrote before it ends all: some of them drop the rest. */
const LAST_WORDS = 200;

/**
 * Join the processes that `mpirun`, or a scheduler that knows MPI, started beside this one. A process that ends before it has
 * left in peace, by an error or by `process.exit`, ends all others. MPI can be joined once in a process.
 *
 * @throws FinegrainError where koffi or the library is not there, or the library is not the launcher's.
 */
export async function openMpi({ library: named }: MpiOptions = {}): Promise<Communicator> {
  const { library, path } = await loadLibrary(named);
  const flavor = flavorOf(library);
  const calls = callsOf(library, flavor);
  if (out(calls.initialized)) throw new FinegrainError("this process has joined MPI already, which it can once");
  calls.init(null, null);
  const size = out((place) => calls.size(flavor.world, place));
  const launched = launchedSize(process.env) ?? size;
  if (launched !== size)
    throw new FinegrainError(
      `${launched} processes were started, of which ${path} sees ${size}: it belongs to another MPI than their launcher`,
    );
  return new MpiCommunicator(calls, flavor, flavor.world);
}

function out(call: (place: [number]) => void): number {
  const place: [number] = [0];
  call(place);
  return place[0];
}

class MpiCommunicator implements Communicator {
  readonly name: string;
  readonly rank: number;
  readonly size: number;
  readonly local: number;
  readonly #calls: Calls;
  readonly #flavor: Flavor;
  /** The ranks that these are: all, or some of them. */
  readonly #group: unknown;
  /** What nobody writes, to rest on. */
  readonly #never = new Int32Array(new SharedArrayBuffer(4));
  readonly #onExit = (exitCode: number) => this.abort(exitCode || 1);
  /** Node would say it after the exit, which is too late. */
  readonly #onError = (error: unknown) =>
    void writeSync(2, `rank ${this.rank} of ${this.size} failed: ${error instanceof Error ? error.stack : error}\n`);

  constructor(calls: Calls, flavor: Flavor, group: unknown) {
    this.#calls = calls;
    this.#flavor = flavor;
    this.#group = group;
    this.name = versionOf(calls);
    this.rank = out((place) => calls.rank(group, place));
    this.size = out((place) => calls.size(group, place));
    this.local = this.#countLocal();
    if (!this.#isAll) return;
    process.on("exit", this.#onExit);
    process.on("uncaughtExceptionMonitor", this.#onError);
  }

  allReduce(values: Numbers, reduction: Reduction = "sum"): void {
    const { inPlace, reductions } = this.#flavor;
    const [length, type] = [count(values), this.#type(values)];
    this.#finish((request) =>
      this.#calls.startAllReduce(inPlace, values, length, type, reductions[reduction], this.#group, request),
    );
  }

  broadcast(values: Numbers, root: number): void {
    const [length, type] = [count(values), this.#type(values)];
    this.#finish((request) => this.#calls.startBroadcast(values, length, type, root, this.#group, request));
  }

  allGather<N extends Numbers>(mine: N, all: N): void {
    expectParts(mine, all, this.size);
    const [length, type] = [count(mine), this.#type(mine)];
    this.#finish((request) => this.#calls.startAllGather(mine, length, type, all, length, type, this.#group, request));
  }

  reduceScatter<N extends Numbers>(all: N, mine: N): void {
    expectParts(mine, all, this.size);
    const { reductions } = this.#flavor;
    const [length, type] = [count(mine), this.#type(mine)];
    this.#finish((request) =>
      this.#calls.startReduceScatter(all, mine, length, type, reductions.sum, this.#group, request),
    );
  }

  allToAll<N extends Numbers>(send: N, received: N): void {
    const part = send.subarray(0, Math.floor(send.length / this.size));
    expectParts(part, send, this.size);
    expectParts(part, received, this.size);
    const [length, type] = [count(part), this.#type(send)];
    this.#finish((request) =>
      this.#calls.startAllToAll(send, length, type, received, length, type, this.#group, request),
    );
  }

  first(ranks: number): Communicator | undefined {
    const made: [unknown] = [undefined];
    const isAmong = this.rank < ranks;
    this.#calls.split(this.#group, isAmong ? 0 : 1, this.rank, made);
    return isAmong ? new MpiCommunicator(this.#calls, this.#flavor, made[0]) : undefined;
  }

  async barrier(): Promise<void> {
    const isDone = this.#start((request) => this.#calls.startBarrier(this.#group, request));
    while (!isDone()) await new Promise((resolve) => setTimeout(resolve, BARRIER_MILLISECONDS));
  }

  /**
   * Do what `start` begins. MPI's own calls that wait look all the time whether they are done: where ranks share
   * processors, that takes the time of those that are waited for.
   */
  #finish(start: (request: Uint8Array) => void): void {
    const isDone = this.#start(start);
    for (let looks = 1; !isDone(); looks++)
      if (looks > EAGER_LOOKS) Atomics.wait(this.#never, 0, 0, Math.min(LONGEST_REST, looks / 2000));
  }

  /** @returns whether it is done; until then memory is MPI's. */
  #start(start: (request: Uint8Array) => void): () => boolean {
    const request = new Uint8Array(8);
    start(request);
    return () => out((done) => this.#calls.test(request, done, this.#flavor.ignoredStatus)) === 1;
  }

  abort(exitCode: number): never {
    this.#forgetProcess();
    Atomics.wait(this.#never, 0, 0, LAST_WORDS);
    this.#calls.abort(this.#flavor.world, exitCode);
    process.exit(exitCode); // where MPI left that to us
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (out(this.#calls.finalized)) return;
    await this.barrier();
    if (!this.#isAll) return;
    this.#forgetProcess();
    this.#calls.finalize();
  }

  get #isAll(): boolean {
    return this.#group === this.#flavor.world;
  }

  #forgetProcess(): void {
    process.off("exit", this.#onExit);
    process.off("uncaughtExceptionMonitor", this.#onError);
  }

  #type(values: Numbers): unknown {
    const { float32, float64, int32, uint8 } = this.#flavor.datatypes;
    if (values instanceof Float32Array) return float32;
    if (values instanceof Float64Array) return float64;
    return values instanceof Int32Array ? int32 : uint8;
  }

  /** Ranks on machines of this one's name. */
  #countLocal(): number {
    const mine = new Uint8Array(256);
    new TextEncoder().encodeInto(hostname(), mine);
    const all = new Uint8Array(256 * this.size);
    this.allGather(mine, all);
    const names = Array.from({ length: this.size }, (_, rank) => `${all.subarray(256 * rank, 256 * (rank + 1))}`);
    return names.filter((name) => name === `${mine}`).length;
  }
}

/** @throws FinegrainError where there are more than MPI can count. */
function count({ length }: Numbers): number {
  if (length > MOST) throw new FinegrainError(`MPI sends at most ${MOST} numbers at once, not ${length}`);
  return length;
}

/** Such as "Open MPI v4.1.4": what stands before the first comma or line end of what the library says of itself. */
function versionOf(calls: Calls): string {
  const text = new Uint8Array(2 ** 14); // more than any MPI_MAX_LIBRARY_VERSION_STRING
  const length = out((place) => calls.version(text, place));
  const said = new TextDecoder().decode(text.subarray(0, length));
  return said
    .split(/[,\n\0]/)[0]!
    .replace(/\s*:?\s+/g, " ")
    .replace("Version ", "")
    .trim();
}
