import { bytesOf, canShareRows, Dependencies, type Kernel, type Task, taskOf } from "@finegrain/codegen";
import type { RenderedKernel } from "./kernel.ts";

/** A kernel's call in a program. */
export interface Step {
  readonly kernel: Kernel;
  readonly rendered: RenderedKernel;
  /** Of the kernel's function in the module. */
  readonly index: number;
  /** Of all threads each does its equal part of the rows, or of the units; or the first does all. */
  readonly by: "rows" | "units" | "first";
  /** Units of a thread: the last ones may have fewer. */
  readonly share: number;
  /** Values that it reads or makes, roughly. */
  readonly operations: number;
}

/** A kernel with less work than this is not worth a barrier on both sides. */
const WORTH_THREADS = 20_000;
/** Bytes of a value that is not worth making, and keeping, before its turn. */
const WORTH_DELAY = 2 ** 16;

interface Placed extends Omit<Step, "share"> {
  by: Step["by"];
  readonly task: Task;
  /** Of its group. */
  readonly at: number;
}

/**
 * Steps in groups, between which all threads meet. Within a group each thread goes through the steps by itself: what a step touches of another's
 * in its group is of the same thread. Steps come as early as what they wait for lets them.
 */
export class Schedule {
  readonly #groups: Placed[][] = [];
  readonly #threads: number;
  readonly #dependencies = new Dependencies<Placed>();

  constructor(threads: number) {
    this.#threads = threads;
  }

  get groups(): readonly (readonly Step[])[] {
    return this.#groups.map((group) => group.map((placed) => ({ ...placed, share: this.#share(placed) })));
  }

  /** The next kernel in the program's order. */
  add(kernel: Kernel, rendered: RenderedKernel, index: number): void {
    const task = taskOf(kernel);
    const { by, at } = this.#threads === 1 ? this.#alone() : this.#place(task, rendered);
    const placed: Placed = { kernel, rendered, index, by, task, at, operations: task.work.operations };
    this.#groups[at] ??= [];
    this.#groups[at].push(placed);
    this.#dependencies.add(placed);
  }

  #share({ by, rendered: { units, grain } }: Placed): number {
    if (by === "first") return units;
    return by === "rows" ? units / this.#threads : Math.ceil(units / this.#threads / grain) * grain;
  }

  /** Without other threads every kernel is a group: nothing is worth keeping for longer. */
  #alone(): Pick<Placed, "by" | "at"> {
    return { by: "first", at: this.#groups.length };
  }

  #place(task: Task, rendered: RenderedKernel): Pick<Placed, "by" | "at"> {
    const { units, grain } = rendered;
    const before = [...this.#dependencies.of(task)];
    const last = Math.max(-1, ...before.map(({ at }) => at));
    const beside = before.filter(({ at }) => at === last);
    const earliest = bytesOf(task.kernel.to) < WORTH_DELAY ? 0 : this.#groups.length - 1;
    const [behind, after] = [Math.max(0, last, earliest), Math.max(last + 1, earliest)];
    const small = task.work.operations < WORTH_THREADS || units <= grain;
    if (small && beside.every(({ by }) => by === "first")) return { by: "first", at: behind };
    const inRows = this.#inRows(rendered);
    if (inRows && this.#shareRows(beside, task)) return { by: "rows", at: behind };
    return { by: small ? "first" : inRows ? "rows" : "units", at: after };
  }

  #inRows({ rows }: RenderedKernel): boolean {
    return rows % this.#threads === 0;
  }

  /**
   * Whether the next one can be done in rows behind others of a group. Those that are the first thread's then turn into rows too, with all
   * that they have to do with in their group.
   */
  #shareRows(beside: readonly Placed[], next: Task): boolean {
    const apart = (a: Task, b: Task) => canShareRows([a, b], this.#threads);
    if (!beside.every(({ task, by }) => by !== "units" && apart(task, next))) return false;
    const turned = new Set(beside.filter(({ by }) => by === "first"));
    // What is added to a set that is walked is walked too.
    for (const one of turned) {
      if (!this.#inRows(one.rendered)) return false;
      for (const other of this.#dependencies.of(one.task)) {
        if (other.at !== one.at) continue;
        if (other.by === "units" || !apart(one.task, other.task)) return false;
        if (other.by === "first") turned.add(other);
      }
    }
    for (const one of turned) one.by = "rows";
    return true;
  }
}
