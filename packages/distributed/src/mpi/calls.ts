import type { LibraryHandle } from "koffi";
import type { Flavor } from "./flavor.ts";

/** A place for one number that MPI writes. */
type Out = [number];
/** Numbers, or a constant of MPI in place of their address. */
type Memory = NodeJS.TypedArray | bigint;
/** What is sent of each rank, what is received of each, and the request. */
type Exchanged = [
  ...[send: Memory, count: number, type: unknown],
  ...[receive: Memory, each: number, as: unknown],
  ...[world: unknown, request: Memory],
];
/** What is sent, where the result goes, and the request. */
type Reduced = [
  ...[send: Memory, receive: Memory, count: number, type: unknown],
  ...[reduction: unknown, world: unknown, request: Memory],
];

/**
 * The functions of MPI that are called, each as mpi.h declares it. What `start` begins has a request of 8 bytes, which with all
 * memory is MPI's until `test` says that it is done.
 */
export interface Calls {
  initialized(flag: Out): void;
  finalized(flag: Out): void;
  init(argc: null, argv: null): void;
  finalize(): void;
  abort(world: unknown, exitCode: number): void;
  version(text: Uint8Array, length: Out): void;
  rank(world: unknown, rank: Out): void;
  size(world: unknown, size: Out): void;
  split(world: unknown, color: number, key: number, made: [unknown]): void;
  startAllReduce(...given: Reduced): void;
  startBroadcast(values: Memory, count: number, type: unknown, root: number, world: unknown, request: Memory): void;
  startAllGather(...given: Exchanged): void;
  startReduceScatter(...given: Reduced): void;
  startAllToAll(...given: Exchanged): void;
  startBarrier(world: unknown, request: Memory): void;
  test(request: Memory, done: Out, status: Memory): void;
}

/** What fails ends all ranks, with a message of MPI's own: that is how it handles errors where nobody says otherwise. */
export function callsOf(library: LibraryHandle, { handle: H }: Flavor): Calls {
  const exchange = `(void*, int, ${H}, void*, int, ${H}, ${H}, void*)`;
  const reduction = `(void*, void*, int, ${H}, ${H}, ${H}, void*)`;
  const f = (name: string, signature: string) => library.func(`int MPI_${name}${signature}`);
  return {
    initialized: f("Initialized", "(_Out_ int*)"),
    finalized: f("Finalized", "(_Out_ int*)"),
    init: f("Init", "(void*, void*)"),
    finalize: f("Finalize", "()"),
    abort: f("Abort", `(${H}, int)`),
    version: f("Get_library_version", "(void*, _Out_ int*)"),
    rank: f("Comm_rank", `(${H}, _Out_ int*)`),
    size: f("Comm_size", `(${H}, _Out_ int*)`),
    split: f("Comm_split", `(${H}, int, int, _Out_ ${H}*)`),
    startAllReduce: f("Iallreduce", reduction),
    startBroadcast: f("Ibcast", `(void*, int, ${H}, int, ${H}, void*)`),
    startAllGather: f("Iallgather", exchange),
    startReduceScatter: f("Ireduce_scatter_block", reduction),
    startAllToAll: f("Ialltoall", exchange),
    startBarrier: f("Ibarrier", `(${H}, void*)`),
    test: f("Test", "(void*, _Out_ int*, void*)"),
  };
}
