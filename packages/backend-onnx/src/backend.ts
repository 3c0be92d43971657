import { availableParallelism, cpus, totalmem } from "node:os";
import {
  type Backend,
  createBackend,
  type DeviceInfo,
  type Driver,
  type DriverOptions,
  FinegrainError,
  type Graph,
  type HostTensor,
  hostTensor,
  type OpName,
  type TensorType,
} from "@finegrain/graph";
import type * as Ort from "onnxruntime-node";
import { emit } from "./emit.ts";
import { type MakeTensor, OnnxProgram } from "./executable.ts";
import type { Numbers } from "./program.ts";
import { loadOnnxRuntime, openProvider, type Provider } from "./providers.ts";

export interface OnnxOptions {
  /** Which of ONNX Runtime's execution providers runs the graphs. Default "cpu". */
  readonly device?: Provider;
  /** Threads of the CPU provider. Default: as many as this process may use. */
  readonly threads?: number;
}

/**
 * ONNX Runtime as a backend: every graph becomes a model whose weights are inputs, so that they are never copied and may be
 * of any size.
 * @throws FinegrainError where onnxruntime-node or the provider is not there, with what to install.
 */
export async function onnxBackend({
  device = "cpu",
  threads = availableParallelism(),
}: OnnxOptions = {}): Promise<Backend> {
  const ort = await loadOnnxRuntime();
  await openProvider(ort, device);
  return createBackend(new OnnxDriver(ort, device, threads));
}

class OnnxDriver implements Driver<Numbers> {
  readonly name: string;
  readonly device: DeviceInfo;
  readonly unsupported: ReadonlySet<OpName> = new Set();
  readonly #ort: typeof Ort;
  readonly #provider: Provider;
  readonly #threads: number;
  readonly #tensor: MakeTensor;

  constructor(ort: typeof Ort, provider: Provider, threads: number) {
    this.name = `onnx:${provider}`;
    this.device = {
      kind: provider,
      description: provider === "cpu" ? (cpus()[0]?.model.trim() ?? "CPU") : provider,
      provider: `onnxruntime-node ${ort.env.versions.node}`,
      ...(provider === "cpu" ? { memory: totalmem(), threads } : {}),
    };
    this.#ort = ort;
    this.#provider = provider;
    this.#threads = threads;
    // The array types are those of the dtypes; ONNX Runtime's constructor has an overload for each.
    this.#tensor = ({ dtype, shape }, data) => new ort.Tensor(dtype as "float32", data as Float32Array, shape);
  }

  upload({ dtype, shape, data }: HostTensor): Numbers {
    const own = hostTensor(dtype, shape, data instanceof Float64Array ? data : data.slice());
    return own.data as Numbers; // hostTensor gives the dtype's array
  }

  async read(numbers: Numbers, type: TensorType): Promise<HostTensor> {
    return { ...type, data: numbers.slice() };
  }

  free(): void {} // numbers are the collector's

  async compile(graph: Graph, { donate }: DriverOptions): Promise<OnnxProgram> {
    const program = emit(graph, donate);
    const session = program.model && (await this.#session(graph.name, program.model));
    return new OnnxProgram({ program, session, tensor: this.#tensor });
  }

  /** @throws FinegrainError that names the graph, with ONNX Runtime's own reason. */
  async #session(name: string, model: Uint8Array): Promise<Ort.InferenceSession> {
    try {
      return await this.#ort.InferenceSession.create(model, {
        executionProviders: [this.#provider],
        graphOptimizationLevel: "all",
        intraOpNumThreads: this.#threads,
        interOpNumThreads: 1,
        executionMode: "sequential",
        // A plan of all that a run needs would be another block of memory, beside the arena that its first run has filled.
        enableMemPattern: false,
        // Its errors are thrown too, and need not be printed.
        logSeverityLevel: 4,
        // Every session has threads of its own, which would spin on after a run while another session's work.
        extra: { session: { force_spinning_stop: "1" } },
      });
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : cause;
      throw new FinegrainError(`graph "${name}" does not compile on ${this.name}: ${reason}`, { cause });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
