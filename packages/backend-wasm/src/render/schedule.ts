import { bytesOf, type Kernel, type ProgramBuffer, readsOf } from "@finegrain/codegen";
import type { RenderedKernel } from "./kernel.ts";

/** A kernel's call in a program. */
export interface Step {
  readonly kernel: Kernel;
  readonly rendered: RenderedKernel;
  /** Of the kernel's function in the module. */
  readonly index: number;
  /** Done by the first thread alone. */
  readonly serial: boolean;
  /** All threads meet before it. */
  readonly barrier: boolean;
}

/** A kernel with less work than this is not worth a barrier on both sides. */
const WORTH_THREADS = 20_000;

interface Access {
  readonly from: number;
  readonly to: number;
  /** Values that are no part of the arena are apart from each other. */
  readonly buffer: ProgramBuffer | undefined;
}

/** Where threads have to wait for each other: before a kernel that touches what another thread may still be at. */
export class Schedule {
  readonly steps: Step[] = [];
  readonly #offsets: ReadonlyMap<ProgramBuffer, number>;
  readonly #threads: number;
  #open: { reads: Access[]; writes: Access[]; serial: boolean }[] = [];

  constructor(offsets: ReadonlyMap<ProgramBuffer, number>, threads: number) {
    this.#offsets = offsets;
    this.#threads = threads;
  }

  add(kernel: Kernel, rendered: RenderedKernel, index: number): void {
    const serial = this.#threads === 1 || rendered.work < WORTH_THREADS || rendered.units <= rendered.grain;
    const reads = readsOf(kernel).map((x) => this.#access(x));
    const writes = [this.#access(kernel.to)];
    const barrier = this.#open.some(
      (other) =>
        !(serial && other.serial) &&
        (meet(other.writes, reads) || meet(other.writes, writes) || meet(other.reads, writes)),
    );
    if (barrier) this.#open = [];
    this.#open.push({ reads, writes, serial });
    this.steps.push({ kernel, rendered, index, serial, barrier });
  }

  #access(buffer: ProgramBuffer): Access {
    const from = this.#offsets.get(buffer);
    return from === undefined ? { from: 0, to: 0, buffer } : { from, to: from + bytesOf(buffer), buffer: undefined };
  }
}

const meet = (a: readonly Access[], b: readonly Access[]): boolean =>
  a.some((x) => b.some((y) => (x.buffer || y.buffer ? x.buffer === y.buffer : x.from < y.to && y.from < x.to)));
