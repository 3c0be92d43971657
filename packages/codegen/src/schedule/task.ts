import { type Work, workOf } from "../analysis/work.ts";
import { type Access, accessesOf } from "../ir/access.ts";
import type { Kernel } from "../ir/kernel.ts";

/** A kernel, and what a schedule has to know of it. */
export interface Task {
  readonly kernel: Kernel;
  readonly accesses: readonly Access[];
  readonly work: Work;
}

export const taskOf = (kernel: Kernel): Task => ({ kernel, accesses: accessesOf(kernel), work: workOf(kernel) });
