import type { Kernel } from "./kernel.ts";
import type { Program } from "./program.ts";

/** Kernels that one dispatch runs. Its branches run side by side in different workgroups: none reads or overwrites what another writes. */
export interface Dispatch {
  readonly branches: readonly Branch[];
}

/**
 * One kernel, spread over as many workgroups as it wants (`rows` is 0); or several, one after the other, by `rows` workgroups of which
 * each does its own row of every kernel, with a barrier of the workgroup between two. Row r of a kernel is the range [r n, (r + 1) n) of its
 * parallel iterations, row-major, n being their number over `rows`; a reduction belongs to its element.
 */
export interface Branch {
  readonly rows: number;
  readonly kernels: readonly Kernel[];
}

export interface ScheduleOptions {
  /** Distinct inputs, outputs and constants that a dispatch may touch; all temporaries together count as one. */
  readonly maxBuffers: number;
  /** Branches of a dispatch at most. Default 8. */
  readonly maxBranches?: number;
}

/** Put a program's kernels into as few dispatches as keep the meaning of their order. */
export function schedule(program: Program, _options: ScheduleOptions): readonly Dispatch[] {
  return program.kernels.map((kernel) => ({ branches: [{ rows: 0, kernels: [kernel] }] }));
}
