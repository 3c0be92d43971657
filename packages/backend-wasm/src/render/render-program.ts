import { type MemoryPlan, type Program, type ProgramBuffer, planMemory } from "@finegrain/codegen";
import { Code, type Local } from "../assembler/code.ts";
import { type MemoryImport, Module } from "../assembler/module.ts";
import { arriveFunction, releaseFunction } from "./barrier.ts";
import type { RenderedKernel, Target } from "./kernel.ts";
import { buffersOf, kernelKey, renderKernel } from "./render-kernel.ts";
import { Schedule, type Step } from "./schedule.ts";

/** Bytes of a pointer in the table of a run's inputs and outputs, whatever its size. */
export const POINTER_BYTES = 8;

/** Where a program's own memory is. */
export interface Layout {
  /** The address of the plan's arena. */
  readonly arena: number;
  /** The address of the table: a pointer for every input, then for every output. */
  readonly table: number;
  /** The address of the threads' own memory, one behind the other. */
  readonly scratch: number;
}

interface RenderOptions {
  readonly memory: MemoryImport;
  /** Import `env.mark(step)`, and call it after every step. */
  readonly profile: boolean;
}

/** A program's kernels as functions, before it is known where its memory is. */
export class RenderedProgram {
  /** Where temporaries and constants are in the arena. */
  readonly plan: MemoryPlan;
  readonly #program: Program;
  readonly #target: Target;
  readonly #module: Module;
  readonly #schedule: Schedule;
  readonly #barrier: Barrier | undefined;

  /** Of the function that is told when a step ends. */
  readonly #mark: number | undefined;

  constructor(program: Program, target: Target, { memory, profile }: RenderOptions) {
    this.#program = program;
    this.#target = target;
    this.#module = new Module(memory);
    this.#mark = profile ? this.#module.importFunction("mark", ["i32"]) : undefined;
    this.#barrier = target.threads > 1 ? barrier(this.#module, target) : undefined;
    this.#schedule = new Schedule(target.threads);
    const functions = new Map<string, { index: number; rendered: RenderedKernel }>();
    for (const kernel of program.kernels) {
      const key = kernelKey(kernel);
      let known = functions.get(key);
      if (known === undefined) {
        const rendered = renderKernel(kernel, target);
        known = { rendered, index: this.#module.add(rendered.code) };
        functions.set(key, known);
      }
      this.#schedule.add(kernel, known.rendered, known.index);
    }
    this.plan = planMemory(
      program,
      this.#schedule.groups.map((group) => group.map(({ kernel }) => kernel)),
    );
  }

  /** Bytes that each thread needs to itself. */
  get scratchBytes(): number {
    return Math.max(0, ...this.steps.map(({ rendered }) => rendered.scratch ?? 0));
  }

  get steps(): readonly Step[] {
    return this.#schedule.groups.flat();
  }

  /** The module: a function for every kernel that differs from the others, and `run(thread, maySleep)`, which every thread calls. */
  encode(layout: Layout): Uint8Array<ArrayBuffer> {
    const [program, plan, target, barrier] = [this.#program, this.plan, this.#target, this.#barrier];
    const caller = new Caller({ program, plan, target, layout, scratchBytes: this.scratchBytes });
    const run =
      this.#mark === undefined
        ? runFunction(this.#schedule.groups, caller, barrier)
        : markedRunFunction(this.steps, caller, barrier, this.#mark);
    this.#module.add(run, "run");
    return this.#module.encode();
  }
}

/** Numbers of the functions that make one. */
interface Barrier {
  readonly arrive: number;
  readonly release: number;
}

const barrier = (module: Module, target: Target): Barrier => ({
  arrive: module.add(arriveFunction(target)),
  release: module.add(releaseFunction(target)),
});

/** Goes through the whole program: all threads meet after each group, where the last to come does what is only one thread's. */
function runFunction(groups: readonly (readonly Step[])[], caller: Caller, barrier: Barrier | undefined): Code {
  const isForOne = (at: number) => groups[at]?.every(({ by }) => by === "first");
  for (let at = 0; at < groups.length; at++) {
    caller.all(groups[at]!);
    if (barrier === undefined) continue;
    caller.meet(barrier, isForOne(at + 1) ? groups[++at]! : []);
  }
  if (groups.length === 0) meetOnce(caller, barrier);
  return caller.code;
}

/** Goes through the whole program step by step: all threads meet after each, and the first says that it is done. */
function markedRunFunction(steps: readonly Step[], caller: Caller, barrier: Barrier | undefined, mark: number): Code {
  const { code } = caller;
  for (const [at, step] of steps.entries()) {
    caller.all([step]);
    if (barrier !== undefined) caller.meet(barrier, []);
    code
      .get(code.parameter(0))
      .do("i32.eqz")
      .if(() => code.i32(at).call(mark));
  }
  if (steps.length === 0) meetOnce(caller, barrier);
  return code;
}

/**
 * Nobody ends a run that somebody has not begun, even where there is nothing to do: who comes late would look for a program that may be dropped by
 * then, or take the next run for this one.
 */
function meetOnce(caller: Caller, barrier: Barrier | undefined): void {
  if (barrier !== undefined) caller.meet(barrier, []);
}

interface Site {
  readonly program: Program;
  readonly plan: MemoryPlan;
  readonly target: Target;
  readonly layout: Layout;
  readonly scratchBytes: number;
}

/** Writes the calls of kernels into `run`. */
class Caller {
  readonly code: Code;
  readonly #site: Site;
  readonly #scratch: Local;

  constructor(site: Site) {
    this.#site = site;
    this.code = new Code(["i32", "i32"], site.target.wide);
    this.#scratch = this.code.local("pointer");
    this.#thread();
    this.code
      .address(site.scratchBytes)
      .pointerOp("mul")
      .address(site.layout.scratch)
      .pointerOp("add")
      .set(this.#scratch);
  }

  #thread(): void {
    this.code.get(this.code.parameter(0));
    if (this.code.wide) this.code.do("i64.extend_i32_u");
  }

  /** The steps of a group, or what the function's thread does of them. */
  all(steps: readonly Step[]): void {
    const { code } = this;
    for (let at = 0; at < steps.length; ) {
      if (steps[at]!.by !== "first") {
        this.#share(steps[at++]!);
        continue;
      }
      const from = at;
      while (steps[at]?.by === "first") at++;
      code
        .get(code.parameter(0))
        .do("i32.eqz")
        .if(() => {
          for (const step of steps.slice(from, at)) this.#whole(step);
        });
    }
  }

  /** All threads wait for each other, and one goes through these steps before they go on. */
  meet({ arrive, release }: Barrier, steps: readonly Step[]): void {
    const { code } = this;
    code.get(code.parameter(1)).call(arrive);
    code.if(() => {
      for (const step of steps) this.#whole(step);
      code.call(release);
    });
  }

  #whole(step: Step): void {
    this.#pointers(step);
    this.code.address(0).address(step.rendered.units).get(this.#scratch).call(step.index);
  }

  /** The part of the thread that the function's parameter names. */
  #share(step: Step): void {
    const { units, grain } = step.rendered;
    const { threads } = this.#site.target;
    const part = step.by === "rows" ? units / threads : Math.ceil(units / threads / grain) * grain;
    const { code } = this;
    const [begin, end] = [code.local("pointer"), code.local("pointer")];
    const smaller = (local: Local) =>
      code.tee(local).address(units).get(local).address(units).pointerOp("lt_u").do("select").set(local);
    this.#thread();
    code.address(part).pointerOp("mul");
    smaller(begin);
    code.get(begin).address(part).pointerOp("add");
    smaller(end);
    this.#pointers(step);
    code.get(begin).get(end).get(this.#scratch).call(step.index);
  }

  /** Of the buffers of this call, in the order of those of the function that it shares with others. */
  #pointers({ kernel }: Step): void {
    for (const buffer of buffersOf(kernel)) this.#pointer(buffer);
  }

  #pointer(buffer: ProgramBuffer): void {
    const { plan, program, layout } = this.#site;
    const { arena, table } = layout;
    const offset = plan.offsets.get(buffer);
    if (offset !== undefined) {
      this.code.address(arena + offset);
      return;
    }
    const { place } = buffer;
    const slot = place.kind === "input" ? place.index : program.inputs.length + program.outputs.indexOf(buffer);
    this.code.address(table + POINTER_BYTES * slot).loadPointer(0);
  }
}
