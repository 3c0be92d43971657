import { type Kernel, kernelCost } from "@finegrain/codegen";
import type { KernelTime } from "@finegrain/graph";

/** Sums up what the steps of a program take. */
export class Clock {
  readonly #kernels: readonly Kernel[];
  readonly #milliseconds: number[];
  #runs = 0;
  #last = 0;

  constructor(kernels: readonly Kernel[]) {
    this.#kernels = kernels;
    this.#milliseconds = kernels.map(() => 0);
  }

  start(): void {
    this.#runs++;
  }

  /** What was done since the last step is none of the next one's. */
  goOn(): void {
    this.#last = performance.now();
  }

  /** A step has ended. */
  mark(step: number): void {
    const now = performance.now();
    this.#milliseconds[step]! += now - this.#last;
    this.#last = now;
  }

  /** The times so far, and back to 0. */
  take(): KernelTime[] {
    const times = this.#kernels.map((kernel, step) => ({
      name: kernel.name,
      milliseconds: this.#milliseconds[step]!,
      runs: this.#runs,
      ...kernelCost(kernel),
    }));
    this.#milliseconds.fill(0);
    this.#runs = 0;
    return times;
  }
}
