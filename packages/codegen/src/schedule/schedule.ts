import { atOnce, type Turns } from "@finegrain/graph";
import { isInArena, type ProgramBuffer } from "../ir/buffer.ts";
import { bytesOf, type Kernel } from "../ir/kernel.ts";
import type { Program } from "../ir/program.ts";
import { type ChainOptions, rowsOf, type StepLimits } from "./chain.ts";
import { Dependencies } from "./dependencies.ts";
import { type Task, taskOf } from "./task.ts";

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
  /** Bindings of a dispatch at most: inputs, outputs, and what temporaries and constants take. A kernel that needs more is alone. */
  readonly maxBuffers: number;
  /** Bytes that one binding holds: a larger buffer takes several. Default: all of any. */
  readonly bindingBytes?: number;
  /** Bindings that all temporaries and constants take together. Default 1. */
  readonly slabs?: number;
  /** Branches of a dispatch at most, so that a shader stays of a size that drivers compile well. Default 8. */
  readonly maxBranches?: number;
  /** Kernels of a dispatch at most, for the same reason: compilers take more than twice as long for twice as many. Default 12. */
  readonly maxKernels?: number;
  /** Lanes that a workgroup has at least: rows are not cut smaller than keeps them busy. Default 64. */
  readonly lanes?: number;
  /** Default: 2^15 where they are few, 2^17 where they are many. */
  readonly steps?: StepLimits;
  /** Rows of a chain that are enough to keep the device busy. Default: as many as there can be. */
  readonly rows?: number;
}

/** Put a program's kernels into few dispatches that keep the meaning of their order. */
export const schedule = (program: Program, options: ScheduleOptions): readonly Dispatch[] =>
  atOnce(scheduling(program, options));

/** The same, in turns. */
export function* scheduling({ kernels }: Program, options: ScheduleOptions): Turns<readonly Dispatch[]> {
  const scheduler = new Scheduler(options);
  for (const kernel of kernels) {
    scheduler.add(taskOf(kernel));
    yield;
  }
  return scheduler.dispatches.map(({ branches }) => ({
    branches: branches.map(({ rows, tasks }) => ({ rows, kernels: tasks.map(({ kernel }) => kernel) })),
  }));
}

interface OpenBranch {
  readonly rows: number;
  /** In the program's order. */
  readonly tasks: readonly Task[];
}

/** A kernel and the dispatch that it is in. */
interface Placed {
  readonly task: Task;
  readonly at: number;
}

interface OpenDispatch {
  branches: OpenBranch[];
  readonly buffers: Set<ProgramBuffer>;
}

const buffersOf = ({ accesses }: Task): ProgramBuffer[] => accesses.map(({ buffer }) => buffer);

/** Takes kernels in the program's order; each goes to a dispatch after all that it has to wait for, or behind them in their branch. */
class Scheduler {
  readonly dispatches: OpenDispatch[] = [];
  readonly #maxBuffers: number;
  readonly #bindingBytes: number;
  readonly #slabs: number;
  readonly #maxBranches: number;
  readonly #maxKernels: number;
  readonly #chain: ChainOptions;
  readonly #dependencies = new Dependencies<Placed>();

  constructor(options: ScheduleOptions) {
    this.#maxBuffers = options.maxBuffers;
    this.#bindingBytes = options.bindingBytes ?? Number.POSITIVE_INFINITY;
    this.#slabs = options.slabs ?? 1;
    this.#maxBranches = options.maxBranches ?? 8;
    this.#maxKernels = options.maxKernels ?? 12;
    this.#chain = {
      lanes: options.lanes ?? 64,
      steps: options.steps ?? { few: 2 ** 15, many: 2 ** 17 },
      rows: options.rows ?? Number.POSITIVE_INFINITY,
    };
  }

  add(task: Task): void {
    const before = this.#dependencies.of(task);
    const last = [...before].reduce((latest, { at }) => Math.max(latest, at), -1);
    const waited = new Set(Array.from(before, (earlier) => earlier.task));
    const at = this.#append(task, last, waited) ? last : this.#branch(task, last + 1);
    this.#dependencies.add({ task, at });
  }

  /** Put the kernel behind those of the dispatch that it has to wait for, as one branch with them, if it can be. */
  #append(task: Task, at: number, waited: ReadonlySet<Task>): boolean {
    const dispatch = this.dispatches[at];
    if (!dispatch || !this.#hasRoom(dispatch, task)) return false;
    const before = dispatch.branches.filter(({ tasks }) => tasks.some((earlier) => waited.has(earlier)));
    const tasks = [...before.flatMap(({ tasks }) => tasks), task];
    const rows = rowsOf(tasks, this.#chain);
    if (rows === undefined) return false;
    dispatch.branches = [...dispatch.branches.filter((branch) => !before.includes(branch)), { rows, tasks }];
    for (const buffer of buffersOf(task)) dispatch.buffers.add(buffer);
    return true;
  }

  /** Put the kernel into a branch of its own, in this dispatch or a later one. */
  #branch(task: Task, from: number): number {
    const open = (dispatch: OpenDispatch, at: number) =>
      at >= from && dispatch.branches.length < this.#maxBranches && this.#hasRoom(dispatch, task);
    const found = onlyTakes(task) ? this.dispatches.findLastIndex(open) : this.dispatches.findIndex(open);
    const at = found >= 0 ? found : this.dispatches.length;
    const dispatch = this.dispatches[at] ?? { branches: [], buffers: new Set() };
    this.dispatches[at] = dispatch;
    dispatch.branches.push({ rows: 0, tasks: [task] });
    for (const buffer of buffersOf(task)) dispatch.buffers.add(buffer);
    return at;
  }

  #hasRoom({ buffers, branches }: OpenDispatch, task: Task): boolean {
    const kernels = branches.reduce((sum, { tasks }) => sum + tasks.length, 0);
    if (kernels >= this.#maxKernels) return false;
    return this.#bindings(new Set([...buffers, ...buffersOf(task)])) <= this.#maxBuffers;
  }

  /** Temporaries and constants that fit into a slab are in one each at most, and share what slabs there are. */
  #bindings(buffers: ReadonlySet<ProgramBuffer>): number {
    let [own, temporary] = [0, 0];
    for (const buffer of buffers) {
      const bindings = Math.max(1, Math.ceil(bytesOf(buffer) / this.#bindingBytes));
      if (isInArena(buffer)) temporary += bindings;
      else own += bindings;
    }
    return own + Math.min(temporary, this.#slabs);
  }
}

/** Whether a kernel takes memory and waits for nothing that takes any: such ones run late, others as early as they can. */
const onlyTakes = ({ kernel, accesses }: Task): boolean =>
  bytesOf(kernel.to) >= WORTH_DELAY && accesses.every((x) => x.writes || x.buffer.place.kind !== "temporary");
/** Bytes of a temporary that is not worth keeping for long. */
const WORTH_DELAY = 2 ** 16;
