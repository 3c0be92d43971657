import type { OpName } from "../catalog.ts";
import type { Graph } from "../graph.ts";
import type { HostTensor, StorageKind, Tensor, TensorType } from "../tensor.ts";
import type { Like, Tree } from "../tree.ts";

/** Where a backend runs. */
export interface DeviceInfo {
  /** "cpu", "cuda", "webgpu", "reference". */
  readonly kind: string;
  /** What the hardware or its driver calls itself. */
  readonly description: string;
  /** The software that runs it, with its version. */
  readonly provider: string;
  /** Bytes that the device can hold, where known. */
  readonly memory?: number;
  /** Whether the processor stands in for the device: a software adapter. Left out where it does not, or nothing tells. */
  readonly software?: boolean;
  /** Threads that a run uses, where it is a CPU's. */
  readonly threads?: number;
  /** What it can do beyond what every device of its kind can, as its API calls it: "shader-f16", "subgroups". */
  readonly features?: readonly string[];
  /** Numbers that bound what it can run, as its API calls them: bytes of a buffer, bindings of a shader. */
  readonly limits?: Readonly<Record<string, number>>;
  /** Why a backend that is preferred to this one does not run in its place, in one sentence. Left out where none is. */
  readonly fallback?: string;
}

/** What results say of the backend that they come from. */
export const ranOn = ({ name, device: { fallback } }: Pick<Backend, "name" | "device">) => ({
  backend: name,
  ...(fallback !== undefined && { fallback }),
});

/** A place where graphs can run. It knows the graph's ops, and nothing of models, training or checkpoints. */
export interface Backend extends AsyncDisposable {
  /** As results show it: "onnx:cpu", "webgpu:NVIDIA H200". */
  readonly name: string;
  readonly device: DeviceInfo;
  /** Ops that this backend cannot run. Declared, so that nothing is skipped in silence. */
  readonly unsupported: ReadonlySet<OpName>;
  /** What inputs may be stored in besides float32, int32 and bool. Left out: nothing. */
  readonly storage?: ReadonlySet<StorageKind>;
  /** Bytes of the device's memory that buffers and programs hold now. Left out: the backend cannot tell. */
  memoryInUse?(): number;
  /** Copy a value to the device. The caller may reuse the array afterwards. */
  upload(value: HostTensor): Buffer;
  /** Expensive and done once: lower, fuse, plan memory, build kernels. Throws UnsupportedOpError. */
  compile<I, O>(graph: Graph<I, O>, options?: CompileOptions): Promise<Executable<I, O>>;
}

/**
 * The path of an input or of a branch of them, each of which the output of the same path may overwrite. Where it has another there: both
 * paths.
 */
export type Donation = string | readonly [input: string, output: string];

export interface CompileOptions {
  /** Inputs that outputs may overwrite (optimizer state, KV caches). Their buffers are spent by the run. */
  readonly donate?: readonly Donation[];
  /** Time every kernel, which makes runs slower. A backend that cannot tell leaves {@link Executable.profile} out. */
  readonly profile?: boolean;
}

/** What one kernel of a program took, over all runs that have ended since it was compiled or last asked. */
export interface KernelTime {
  /** The ops that it computes. */
  readonly name: string;
  readonly milliseconds: number;
  readonly runs: number;
  /** Floating-point operations and bytes of one run. */
  readonly flops: number;
  readonly bytes: number;
}

/**
 * A compiled graph. Calls are queued in order; results stay on the device until they are read. Where the caller's own thread computes, it is held
 * for some milliseconds at a time: the rest is done in later turns of the event loop. A run whose results were all disposed is left.
 */
export interface Executable<I = Tree<Tensor>, O = Tree<Tensor>> extends Disposable {
  /**
   * A tree of buffers like the graph's inputs, for one like its outputs.
   * @throws FinegrainError that names the input where one is missing, of another type or of another backend, was disposed or donated
   *   before, or is there twice and overwritten.
   */
  run(inputs: Like<I, Buffer>): Like<O, Buffer>;
  /** Kernels that a run starts on the device, one after the other. Left out: the backend does not count them. */
  readonly dispatches?: number;
  /** Times by kernel, in the program's order, and the clocks back to 0. There where it was compiled with `profile`. */
  profile?(): KernelTime[];
}

/**
 * What an `AbortSignal` has that a wait needs. The signal itself is of the DOM's types or of Node's, and declarations that name it would
 * need one of these.
 */
export interface StopSignal {
  readonly aborted: boolean;
  readonly reason: unknown;
  throwIfAborted(): void;
  addEventListener(type: "abort", listener: () => void, options?: { readonly once?: boolean }): void;
  removeEventListener(type: "abort", listener: () => void): void;
}

/** A tensor on the device. The run that makes it may be to come: both ways to wait for that throw the error of a run that failed. */
export interface Buffer extends Disposable {
  readonly type: TensorType;
  /** @param signal an abort ends the wait for the run that makes the numbers, with the signal's reason as the error. */
  read(signal?: StopSignal): Promise<HostTensor>;
  /** Resolves when the run that makes it is over, or on its way in the device's own queue: from then on disposing the buffer leaves out no run. */
  made(): Promise<void>;
}

/** What a graph of the type `G` is compiled to. */
export type Compiled<G> = G extends Graph<infer I, infer O> ? Executable<I, O> : never;

/** Dispose every buffer of a tree. */
export function disposeTree(tree: Tree<Buffer>): void {
  if (Symbol.dispose in tree) (tree as Buffer)[Symbol.dispose]();
  else for (const branch of Object.values(tree as Readonly<Record<string, Tree<Buffer>>>)) disposeTree(branch);
}
