import { type Backend, createBackend, type Driver, inTurns } from "@finegrain/graph";
import { bestEngine, type Engine, openEngine } from "./engines.ts";
import { TfjsProgram } from "./executable.ts";
import { lowering } from "./lower.ts";
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
    <H>(engine: Engine, machine: Machine<H>): Backend => createBackend(driver(`tfjs:${engine}`, machine)),
  );
}

const driver = <H>(name: string, machine: Machine<H>): Driver<H> => ({
  name,
  device: machine.device,
  unsupported: new Set(),
  upload: (value) => machine.upload(value),
  read: (handle, type) => machine.read(handle, type),
  free: (handle) => machine.free(handle),
  async compile(graph, { donate }) {
    return new TfjsProgram({ lowered: await inTurns(lowering(graph, donate, machine)), machine });
  },
  async [Symbol.asyncDispose]() {},
});
