import {
  type Backend,
  type CompileOptions,
  type DeviceInfo,
  donatedInputs,
  type Graph,
  type HostTensor,
  type OpName,
} from "@finegrain/graph";
import { TfjsBuffer } from "./buffer.ts";
import { bestEngine, type Engine, openEngine } from "./engines.ts";
import { TfjsExecutable } from "./executable.ts";
import { lower } from "./lower.ts";
import type { Machine } from "./machine.ts";

export interface TfjsOptions {
  /**
   * Which of TensorFlow.js's engines runs the graphs: `cuda` (@tensorflow/tfjs-node-gpu), `native` (@tensorflow/tfjs-node),
   * `wasm` or `cpu`. Default: `native` where it is installed, else `wasm`.
   */
  readonly device?: Engine;
}

/**
 * TensorFlow.js as a backend: every graph becomes a flat list of calls of its kernels.
 * @throws FinegrainError where the engine does not load: with the package that it needs, and the reason.
 */
export async function tfjsBackend({ device = bestEngine() }: TfjsOptions = {}): Promise<Backend> {
  return openEngine(
    device,
    <H>(engine: Engine, machine: Machine<H>): Backend => new TfjsBackend(`tfjs:${engine}`, machine),
  );
}

class TfjsBackend<H> implements Backend {
  readonly name: string;
  readonly device: DeviceInfo;
  readonly unsupported: ReadonlySet<OpName> = new Set();
  readonly #machine: Machine<H>;

  constructor(name: string, machine: Machine<H>) {
    this.name = name;
    this.device = machine.device;
    this.#machine = machine;
  }

  upload(value: HostTensor): TfjsBuffer<H> {
    const { dtype, shape } = value;
    return new TfjsBuffer(this.#machine, { dtype, shape: [...shape] }, this.#machine.upload(value));
  }

  async compile(graph: Graph, { donate = [] }: CompileOptions = {}): Promise<TfjsExecutable<H>> {
    const donated = donatedInputs(graph, donate);
    const lowered = lower(graph, donate, this.#machine);
    return new TfjsExecutable({ graph, lowered, donated, machine: this.#machine, backend: this.name });
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
