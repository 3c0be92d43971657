import {
  type Backend,
  type CompileOptions,
  type DeviceInfo,
  donatedInputs,
  FinegrainError,
  type Graph,
  type HostTensor,
  type OpName,
  type StorageDType,
} from "@finegrain/graph";
import { WasmBuffer } from "./buffer.ts";
import { Engine } from "./engine.ts";
import { WasmExecutable } from "./executable.ts";
import { detectFeatures } from "./features.ts";
import { NoWorkersError } from "./threads.ts";

export interface WasmOptions {
  /** Threads, the caller's own among them. Default: as many as the processor runs at once; 1 where memory cannot be shared or no worker starts. */
  readonly threads?: number;
  /** 64-bit addresses, for more than 4 GiB. Default false. */
  readonly memory64?: boolean;
  /** Fused multiply-adds of relaxed SIMD. Default: where the runtime has them. */
  readonly relaxed?: boolean;
}

/**
 * The WebAssembly engine as a backend. It needs nothing but a runtime with WebAssembly SIMD: Node or a browser. `device.threads` says
 * how many threads there are.
 * @throws FinegrainError where the runtime lacks what the options ask for.
 */
export async function wasmBackend(options: WasmOptions = {}): Promise<Backend> {
  const features = detectFeatures();
  const threads = options.threads ?? (features.threads ? processors() : 1);
  const { memory64 = false, relaxed = features.relaxed } = options;
  if (!(Number.isInteger(threads) && threads >= 1))
    throw new FinegrainError(`wasm runs on 1 or more threads, not ${threads}`);
  if (threads > 1 && !features.threads)
    throw new FinegrainError("wasm on several threads needs SharedArrayBuffer: in a page, cross-origin isolation");
  if (memory64 && !features.memory64)
    throw new FinegrainError("this runtime has no 64-bit WebAssembly memory: Node 24 and current browsers have it");
  if (relaxed && !features.relaxed) throw new FinegrainError("this runtime has no relaxed WebAssembly SIMD");
  const open = (count: number) => Engine.open("wasm", { wide: memory64, relaxed, threads: count });
  const engine = await open(threads).catch((error: unknown) => {
    // Threads that were asked for are not to be replaced by one: a page's policy or Node's permissions forbid them.
    if (!(error instanceof NoWorkersError) || options.threads !== undefined) throw error;
    return open(1);
  });
  return new WasmBackend(engine);
}

const processors = (): number =>
  globalThis.process?.getBuiltinModule?.("node:os").availableParallelism() ??
  globalThis.navigator?.hardwareConcurrency ??
  1;

class WasmBackend implements Backend {
  readonly name: string;
  readonly device: DeviceInfo;
  readonly unsupported: ReadonlySet<OpName> = new Set();
  readonly storage: ReadonlySet<StorageDType> = new Set(["float16", "int8"] as const);
  readonly #engine: Engine;

  constructor(engine: Engine) {
    const { threads, wide, relaxed } = engine.target;
    this.#engine = engine;
    this.name = engine.name;
    const features = ["simd", ...(relaxed ? ["relaxed-simd"] : []), ...(wide ? ["memory64"] : [])];
    this.device = {
      kind: "cpu",
      description: processorName(),
      provider: `WebAssembly (${features.join(", ")}) of ${runtimeName()}`,
      memory: (wide ? 16 : 4) * 2 ** 30,
      threads,
    };
  }

  memoryInUse(): number {
    return this.#engine.memory.used;
  }

  upload(value: HostTensor): WasmBuffer {
    return WasmBuffer.upload(this.#engine.memory, value);
  }

  async compile(graph: Graph, options: CompileOptions = {}): Promise<WasmExecutable> {
    const { donate = [] } = options;
    const donated = donatedInputs(graph, donate);
    return new WasmExecutable(this.#engine, await this.#engine.load(graph, options), donated);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#engine.dispose();
  }
}

const processorName = (): string => globalThis.process?.getBuiltinModule?.("node:os").cpus()[0]?.model.trim() ?? "CPU";

const runtimeName = (): string =>
  globalThis.process?.versions?.node
    ? `Node ${process.versions.node}`
    : (globalThis.navigator?.userAgent ?? "this runtime");
