import { FinegrainError } from "@finegrain/graph";

/** Numbers that ranks send to each other. */
export type Numbers = Float32Array | Float64Array | Int32Array | Uint8Array;

/** How numbers of all ranks become one. */
export type Reduction = "sum" | "min" | "max";

/**
 * The processes of one piece of work, as one of them sees them. Every method is called by all ranks in the same order with
 * arrays of the same lengths, and returns when this rank may go on; until then it holds this thread.
 */
export interface Communicator extends AsyncDisposable {
  /** Who carries the messages, such as "Open MPI v4.1.4"; "alone" where there is no other rank. */
  readonly name: string;
  /** This process, from 0. */
  readonly rank: number;
  /** Processes in all. */
  readonly size: number;
  /** Processes on this machine, this one among them. */
  readonly local: number;
  /** `values` becomes the sum over all ranks (default), or the least or the greatest of each number. */
  allReduce(values: Numbers, reduction?: Reduction): void;
  /** `values` becomes those of rank `root`. */
  broadcast(values: Numbers, root: number): void;
  /** `all`, [size × mine.length], becomes the numbers of all ranks one behind the other. */
  allGather<N extends Numbers>(mine: N, all: N): void;
  /** `mine` becomes the sum over all ranks of this rank's part of `all`, [size × mine.length]. */
  reduceScatter<N extends Numbers>(all: N, mine: N): void;
  /** Part r of `send`, [size × n], goes to rank r; part r of `received`, [size × n], becomes what rank r sent here. */
  allToAll<N extends Numbers>(send: N, received: N): void;
  /** The first so many of these processes, as one of them sees them; undefined on the others. All make the call. */
  first(ranks: number): Communicator | undefined;
  /** Resolves when all ranks are here. Until then it leaves the processor to others, and this process its other work. */
  barrier(): Promise<void>;
  /** End all ranks at once, as failed. */
  abort(exitCode: number): never;
  /** Leave in peace: resolves when all ranks do. Where one fails instead, `abort` is for it. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** @throws FinegrainError where the parts of all ranks are not as long as the whole. */
export function expectParts(part: Numbers, whole: Numbers, size: number): void {
  if (whole.length !== size * part.length)
    throw new FinegrainError(
      `${size} ranks with ${part.length} numbers each are ${size * part.length}, not ${whole.length}`,
    );
}

/** The communicator of a process that has no others. */
export function alone(): Communicator {
  const self: Communicator = {
    name: "alone",
    rank: 0,
    size: 1,
    local: 1,
    allReduce() {},
    broadcast() {},
    allGather(mine, all) {
      expectParts(mine, all, 1);
      all.set(mine);
    },
    reduceScatter(all, mine) {
      expectParts(mine, all, 1);
      mine.set(all);
    },
    allToAll(send, received) {
      expectParts(send, received, 1);
      received.set(send);
    },
    first: () => self,
    barrier: async () => {},
    abort: (exitCode) => process.exit(exitCode),
    [Symbol.asyncDispose]: async () => {},
  };
  return self;
}
