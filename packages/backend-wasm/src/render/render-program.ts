import type { MemoryPlan, Program, ProgramBuffer } from "@finegrain/codegen";
import { Code } from "../assembler/code.ts";
import { type MemoryImport, Module } from "../assembler/module.ts";
import { barrierFunction } from "./barrier.ts";
import type { RenderedKernel, Target } from "./kernel.ts";
import { buffersOf, kernelKey, renderKernel } from "./render-kernel.ts";
import { Schedule, type Step } from "./schedule.ts";

/** Bytes of a pointer in the table of a run's inputs and outputs, whatever its size. */
export const POINTER_BYTES = 8;

export interface RenderedProgram {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly steps: readonly Step[];
}

/** Where a program's own memory is. */
export interface Layout {
  readonly plan: MemoryPlan;
  /** The address of the plan's arena. */
  readonly arena: number;
  /** The address of the table: a pointer for every input, then for every output. */
  readonly table: number;
}

/**
 * One module: a function for every kernel that differs from the others, and `run(thread, maySleep)`, which every thread calls
 * and which goes through the whole program.
 */
export function renderProgram(program: Program, layout: Layout, target: Target, memory: MemoryImport): RenderedProgram {
  const module = new Module(memory);
  const barrier = target.threads > 1 ? module.add(barrierFunction(target)) : undefined;
  const functions = new Map<string, { index: number; rendered: RenderedKernel }>();
  const schedule = new Schedule(layout.plan.offsets, target.threads);
  for (const kernel of program.kernels) {
    const key = kernelKey(kernel);
    let known = functions.get(key);
    if (known === undefined) {
      const rendered = renderKernel(kernel, target);
      known = { rendered, index: module.add(rendered.code) };
      functions.set(key, known);
    }
    schedule.add(kernel, known.rendered, known.index);
  }
  module.add(runFunction(schedule.steps, program, layout, target, barrier), "run");
  return { bytes: module.encode(), steps: schedule.steps };
}

function runFunction(
  steps: readonly Step[],
  program: Program,
  layout: Layout,
  target: Target,
  barrier: number | undefined,
): Code {
  const code = new Code(["i32", "i32"], target.wide);
  const caller = new Caller(code, program, layout, target);
  const wait = () => {
    if (barrier !== undefined) code.get(code.parameter(1)).call(barrier);
  };
  for (let at = 0; at < steps.length; ) {
    const step = steps[at]!;
    if (step.barrier) wait();
    if (!step.serial) {
      caller.share(step);
      at++;
      continue;
    }
    // The first thread goes through neighbours of its own at once.
    let end = at + 1;
    while (end < steps.length && steps[end]!.serial && !steps[end]!.barrier) end++;
    const group = steps.slice(at, end);
    code.get(code.parameter(0)).do("i32.eqz");
    code.if(() => {
      for (const member of group) caller.whole(member);
    });
    at = end;
  }
  wait();
  return code;
}

/** Writes the calls of kernels. */
class Caller {
  readonly #code: Code;
  readonly #program: Program;
  readonly #layout: Layout;
  readonly #threads: number;

  constructor(code: Code, program: Program, layout: Layout, { threads }: Target) {
    this.#code = code;
    this.#program = program;
    this.#layout = layout;
    this.#threads = threads;
  }

  whole(step: Step): void {
    this.#pointers(step);
    this.#code.address(0).address(step.rendered.units).call(step.index);
  }

  /** The part of the thread that the function's parameter names. */
  share(step: Step): void {
    const { units, grain } = step.rendered;
    const part = Math.ceil(units / this.#threads / grain) * grain;
    const code = this.#code;
    const [begin, end] = [code.local("pointer"), code.local("pointer")];
    const smaller = (local: ReturnType<Code["local"]>) =>
      code.tee(local).address(units).get(local).address(units).pointerOp("lt_u").do("select").set(local);
    code.get(code.parameter(0));
    if (code.wide) code.do("i64.extend_i32_u");
    code.address(part).pointerOp("mul");
    smaller(begin);
    code.get(begin).address(part).pointerOp("add");
    smaller(end);
    this.#pointers(step);
    code.get(begin).get(end).call(step.index);
  }

  /** Of the buffers of this call, in the order of those of the function that it shares with others. */
  #pointers({ kernel }: Step): void {
    for (const buffer of buffersOf(kernel)) this.#pointer(buffer);
  }

  #pointer(buffer: ProgramBuffer): void {
    const { plan, arena, table } = this.#layout;
    const offset = plan.offsets.get(buffer);
    if (offset !== undefined) {
      this.#code.address(arena + offset);
      return;
    }
    const { place } = buffer;
    const slot =
      place.kind === "input" ? place.index : this.#program.inputs.length + this.#program.outputs.indexOf(buffer);
    this.#code.address(table + POINTER_BYTES * slot).loadPointer(0);
  }
}
