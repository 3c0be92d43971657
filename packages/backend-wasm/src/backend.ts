import { type Backend, createBackend, type Driver, FinegrainError } from "@finegrain/graph";
import { Place } from "./buffer.ts";
import { Engine } from "./engine.ts";
import { WasmProgram } from "./executable.ts";
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
  return createBackend(driver(engine));
}

const processors = (): number =>
  globalThis.process?.getBuiltinModule?.("node:os").availableParallelism() ??
  globalThis.navigator?.hardwareConcurrency ??
  1;

/** How the engine serves graphs. */
function driver(engine: Engine): Driver<Place> {
  const { threads, wide, relaxed } = engine.target;
  const features = ["simd", ...(relaxed ? ["relaxed-simd"] : []), ...(wide ? ["memory64"] : [])];
  const { memory } = engine;
  return {
    name: engine.name,
    device: {
      kind: "cpu",
      description: processorName(),
      provider: `WebAssembly (${features.join(", ")}) of ${runtimeName()}`,
      memory: (wide ? 16 : 4) * 2 ** 30,
      threads,
    },
    unsupported: new Set(),
    storage: new Set(["float16", "int8", "int4"] as const),
    memoryInUse: () => memory.used,
    upload: (value) => Place.upload(memory, value),
    read: async (place, type) => place.read(memory, type),
    free: (place, type) => place.free(memory, type),
    compile: async (graph, options) => new WasmProgram(engine, await engine.load(graph, options), options.donate),
    [Symbol.asyncDispose]: async () => engine.dispose(),
  };
}

const processorName = (): string => globalThis.process?.getBuiltinModule?.("node:os").cpus()[0]?.model.trim() ?? "CPU";

const runtimeName = (): string =>
  globalThis.process?.versions?.node
    ? `Node ${process.versions.node}`
    : (globalThis.navigator?.userAgent ?? "this runtime");
