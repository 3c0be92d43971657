import { kernelCost } from "@finegrain/codegen";
import type { KernelTime } from "@finegrain/graph";
import type { Device } from "./device.ts";
import type { Allocation } from "./pool.ts";
import type { Shader } from "./render/shader.ts";

/** Bytes of a timestamp. */
const TIMESTAMP = 8;
/** Timestamps of a query set at most. */
const MOST_QUERIES = 4096;

/** Times every dispatch of a program with the device's own timestamps, in nanoseconds. */
export class Clock {
  readonly #device: Device;
  readonly #queries: GPUQuerySet;
  readonly #resolved: GPUBuffer;
  readonly #count: number;
  readonly #shaders: readonly Shader[];
  #nanoseconds: number[] = [];
  #runs = 0;

  /** @param shaders the program's dispatches; those beyond the first 2,048 are not timed. */
  constructor(device: Device, shaders: readonly Shader[]) {
    this.#device = device;
    this.#shaders = shaders.slice(0, MOST_QUERIES / 2);
    this.#count = 2 * this.#shaders.length;
    this.#queries = device.gpu.createQuerySet({ type: "timestamp", count: Math.max(1, this.#count) });
    const { QUERY_RESOLVE, COPY_SRC } = GPUBufferUsage;
    this.#resolved = device.gpu.createBuffer({
      size: TIMESTAMP * Math.max(1, this.#count),
      usage: QUERY_RESOLVE | COPY_SRC,
    });
    this.#reset();
  }

  #reset(): void {
    this.#nanoseconds = this.#shaders.map(() => 0);
    this.#runs = 0;
  }

  /** Where a dispatch has a pass of its own, what makes the pass write its times. */
  descriptor(dispatch: number): GPUComputePassDescriptor {
    if (2 * dispatch >= this.#count) return {};
    const [begin, end] = [2 * dispatch, 2 * dispatch + 1];
    return {
      timestampWrites: { querySet: this.#queries, beginningOfPassWriteIndex: begin, endOfPassWriteIndex: end },
    };
  }

  /** Behind the last pass of a run. @returns what reads the times once the run was submitted. */
  resolve(encoder: GPUCommandEncoder): () => void {
    const bytes = TIMESTAMP * this.#count;
    const staging = this.#device.staging.take(bytes, "timestamps");
    encoder.resolveQuerySet(this.#queries, 0, this.#count, this.#resolved, 0);
    encoder.copyBufferToBuffer(this.#resolved, 0, staging.gpu, 0, bytes);
    return () => void this.#read(staging, bytes).catch(() => {}); // a device that was lost says so at the next read
  }

  async #read(staging: Allocation, bytes: number): Promise<void> {
    await staging.gpu.mapAsync(GPUMapMode.READ, 0, bytes);
    const times = new BigUint64Array(staging.gpu.getMappedRange(0, bytes));
    this.#shaders.forEach((_, k) => {
      this.#nanoseconds[k]! += Number(times[2 * k + 1]! - times[2 * k]!);
    });
    staging.gpu.unmap();
    this.#device.staging.give(staging);
    this.#runs++;
  }

  /** What has come in of the runs since the last time. */
  take(): KernelTime[] {
    const times = this.#shaders.map(({ name, kernels }, k) => {
      const costs = kernels.map(kernelCost);
      const sum = (of: "flops" | "bytes") => costs.reduce((total, cost) => total + cost[of], 0);
      return {
        name,
        milliseconds: this.#nanoseconds[k]! / 1e6,
        runs: this.#runs,
        flops: sum("flops"),
        bytes: sum("bytes"),
      };
    });
    this.#reset();
    return times;
  }

  dispose(): void {
    this.#queries.destroy();
    this.#resolved.destroy();
  }
}
