import { FinegrainError } from "@finegrain/graph";
import type { Failure } from "./failure.ts";

/** Bytes of what was given back and is kept for the next one. */
const MOST_KEPT = 2 ** 28;

/** A buffer of the device. */
export interface Allocation {
  readonly gpu: GPUBuffer;
  /** As it was made: at least what was asked for, a multiple of 16. */
  readonly bytes: number;
  /** Tells allocations apart. */
  readonly id: number;
  /** Resolves to the error of the device that had no memory for it. */
  readonly failure: Failure;
  /** Whether it has. */
  failed: boolean;
}

/** Buffers of one usage: what is given back is taken again by the next that needs as much. */
export class Pool {
  readonly #device: GPUDevice;
  readonly #usage: number;
  readonly #free = new Map<number, Allocation[]>();
  #kept = 0;
  #made = 0;
  /** Bytes of all buffers there are, kept ones included. */
  bytes = 0;

  constructor(device: GPUDevice, usage: number) {
    this.#device = device;
    this.#usage = usage;
  }

  /**
   * @param what names it in errors: "float32[1024,4096]", "the temporaries of graph "step"".
   * @throws FinegrainError where it is larger than any buffer of the device.
   */
  take(wanted: number, what: string): Allocation {
    const bytes = Math.ceil(Math.max(wanted, 1) / 16) * 16;
    const free = this.#free.get(bytes)?.pop();
    if (free) {
      this.#kept -= bytes;
      return free;
    }
    const { maxBufferSize } = this.#device.limits;
    if (bytes > maxBufferSize)
      throw new FinegrainError(
        `${what} takes ${amount(bytes)}, and a buffer of this device holds ${amount(maxBufferSize)} at most`,
      );
    return this.#make(bytes, what);
  }

  #make(bytes: number, what: string): Allocation {
    this.#device.pushErrorScope("out-of-memory");
    const gpu = this.#device.createBuffer({ size: bytes, usage: this.#usage });
    this.bytes += bytes;
    const failure = this.#device.popErrorScope().then(
      (error) => {
        if (!error) return undefined;
        allocation.failed = true;
        this.#letGo();
        return new FinegrainError(`the device has no ${amount(bytes)} left for ${what}`);
      },
      () => undefined, // the device was lost
    );
    const allocation: Allocation = { gpu, bytes, id: this.#made++, failure, failed: false };
    return allocation;
  }

  give(allocation: Allocation): void {
    const { bytes, failed } = allocation;
    if (failed || this.#kept + bytes > MOST_KEPT) {
      this.#end(allocation);
      return;
    }
    this.#kept += bytes;
    const same = this.#free.get(bytes) ?? [];
    this.#free.set(bytes, same);
    same.push(allocation);
  }

  #end({ gpu, bytes }: Allocation): void {
    gpu.destroy();
    this.bytes -= bytes;
  }

  /** What is kept makes room where there is none left; what there was no memory for is not to be taken again. */
  #letGo(): void {
    for (const allocation of [...this.#free.values()].flat()) this.#end(allocation);
    this.#free.clear();
    this.#kept = 0;
  }
}

/** As errors say it. */
export const amount = (bytes: number): string =>
  bytes < 2 ** 20 ? `${bytes} bytes` : `${(bytes / 2 ** 20).toFixed(1)} MiB`;
