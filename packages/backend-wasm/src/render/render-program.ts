import { type MemoryPlan, type Program, type ProgramBuffer, planningMemory } from "@finegrain/codegen";
import type { Turns } from "@finegrain/graph";
import { Code, type Local } from "../assembler/code.ts";
import { type MemoryImport, Module } from "../assembler/module.ts";
import { arriveFunction, releaseFunction } from "./barrier.ts";
import type { RenderedKernel, Target } from "./kernel.ts";
import { inParts, type Part, type Piece, rangeOf } from "./parts.ts";
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

/** What the kernels of a program have become. */
interface Rendered {
  readonly program: Program;
  readonly target: Target;
  readonly module: Module;
  readonly schedule: Schedule;
  /** Where temporaries and constants are in the arena. */
  readonly plan: MemoryPlan;
  readonly barrier: Barrier | undefined;
  /** Of the function that is told when a step ends. */
  readonly mark: number | undefined;
}

/** Write a program's kernels as functions, in turns. */
export function* rendering(program: Program, target: Target, options: RenderOptions): Turns<RenderedProgram> {
  const module = new Module(options.memory);
  const mark = options.profile ? module.importFunction("mark", ["i32"]) : undefined;
  const meeting = target.threads > 1 ? barrier(module, target) : undefined;
  const schedule = new Schedule(target.threads);
  const functions = new Map<string, { index: number; rendered: RenderedKernel }>();
  for (const kernel of program.kernels) {
    const key = kernelKey(kernel);
    let known = functions.get(key);
    if (known === undefined) {
      const rendered = renderKernel(kernel, target);
      known = { rendered, index: module.add(rendered.code) };
      functions.set(key, known);
    }
    schedule.add(kernel, known.rendered, known.index);
    yield;
  }
  const groups = schedule.groups.map((group) => group.map(({ kernel }) => kernel));
  const plan = yield* planningMemory(program, groups);
  return new RenderedProgram({ program, target, module, schedule, plan, barrier: meeting, mark });
}

/** A program's kernels as functions, before it is known where its memory is. */
export class RenderedProgram {
  readonly #rendered: Rendered;
  readonly #parts: readonly Part[];

  constructor(rendered: Rendered) {
    const { schedule, mark, target } = rendered;
    this.#rendered = rendered;
    this.#parts = inParts(mark === undefined ? schedule.groups : this.steps.map((step) => [step]), target.threads);
  }

  get plan(): MemoryPlan {
    return this.#rendered.plan;
  }

  /** Bytes that each thread needs to itself. */
  get scratchBytes(): number {
    return Math.max(0, ...this.steps.map(({ rendered }) => rendered.scratch ?? 0));
  }

  get steps(): readonly Step[] {
    return this.#rendered.schedule.groups.flat();
  }

  /** How many parts a run has. */
  get parts(): number {
    return this.#parts.length;
  }

  /** The module, in turns: a function for every kernel that differs from the others, and one for every part of a run, see {@link partName}. */
  *encoding(layout: Layout): Turns<Uint8Array<ArrayBuffer>> {
    const { program, plan, target, module, barrier, mark } = this.#rendered;
    const site = { program, plan, target, layout, scratchBytes: this.scratchBytes };
    for (const [at, part] of this.#parts.entries()) {
      module.add(partFunction(part, new Caller(site), barrier, mark), partName(at));
      yield;
    }
    return yield* module.encoding();
  }
}

/** What the module calls a part: a function of the thread that it is called from and whether that may sleep, which every thread calls. */
export const partName = (part: number): string => `run${part}`;

/** Numbers of the functions that make one. */
interface Barrier {
  readonly arrive: number;
  readonly release: number;
}

const barrier = (module: Module, target: Target): Barrier => ({
  arrive: module.add(arriveFunction(target)),
  release: module.add(releaseFunction(target)),
});

/**
 * Goes through a part: all threads meet after each group, where the last to come does what is only one thread's.
 * @param mark is told by the first thread when a step is done: then every step is a group.
 */
function partFunction(groups: Part, caller: Caller, barrier: Barrier | undefined, mark: number | undefined): Code {
  const { code } = caller;
  const isForOne = (at: number) => mark === undefined && groups[at]?.every(({ step }) => step.by === "first");
  for (let at = 0; at < groups.length; at++) {
    const group = groups[at]!;
    caller.all(group);
    if (barrier !== undefined) caller.meet(barrier, isForOne(at + 1) ? groups[++at]! : []);
    if (mark === undefined) continue;
    for (const { number } of group)
      code
        .get(code.parameter(0))
        .do("i32.eqz")
        .if(() => code.i32(number).call(mark));
  }
  // Nobody ends a run that somebody has not begun, even where there is nothing to do: who comes late would look for a program that may be
  // dropped by then, or take the next run for this one.
  if (groups.length === 0 && barrier !== undefined) caller.meet(barrier, []);
  return code;
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

  /** The pieces of a group, or what the function's thread does of them. */
  all(pieces: readonly Piece[]): void {
    const { code } = this;
    for (let at = 0; at < pieces.length; ) {
      if (pieces[at]!.step.by !== "first") {
        this.#share(pieces[at++]!);
        continue;
      }
      const from = at;
      while (pieces[at]?.step.by === "first") at++;
      code
        .get(code.parameter(0))
        .do("i32.eqz")
        .if(() => {
          for (const piece of pieces.slice(from, at)) this.#whole(piece);
        });
    }
  }

  /** All threads wait for each other, and one goes through these pieces before they go on. */
  meet({ arrive, release }: Barrier, pieces: readonly Piece[]): void {
    const { code } = this;
    code.get(code.parameter(1)).call(arrive);
    code.if(() => {
      for (const piece of pieces) this.#whole(piece);
      code.call(release);
    });
  }

  #whole(piece: Piece): void {
    const { begin, end } = rangeOf(piece);
    this.#pointers(piece.step);
    this.code.address(begin).address(end).get(this.#scratch).call(piece.step.index);
  }

  /** A piece of the share of the thread that the function's parameter names. */
  #share(piece: Piece): void {
    const { code } = this;
    const { index, share, rendered } = piece.step;
    const { begin, end } = rangeOf(piece);
    const [from, to] = [code.local("pointer"), code.local("pointer")];
    const place = (unit: number, local: Local): void => {
      this.#thread();
      code.address(share).pointerOp("mul").address(unit).pointerOp("add").tee(local);
      // No further than the last one.
      const { units } = rendered;
      code.address(units).get(local).address(units).pointerOp("lt_u").do("select").set(local);
    };
    place(begin, from);
    place(end, to);
    this.#pointers(piece.step);
    code.get(from).get(to).get(this.#scratch).call(index);
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
