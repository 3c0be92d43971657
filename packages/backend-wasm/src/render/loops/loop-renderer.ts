import type { LoopKernel, Reduction } from "@finegrain/codegen";
import { size } from "@finegrain/graph";
import type { Code, Local } from "../../assembler/code.ts";
import type { Opening, RenderedKernel } from "../kernel.ts";
import { Accumulator } from "./accumulator.ts";
import { type KernelFrame, Strip } from "./strip.ts";

/** How the work of a kernel is divided. */
export type Division = Omit<RenderedKernel, "code">;

/** What the writers of loop kernels share: units of work, and nested loops. */
export abstract class LoopRenderer {
  protected readonly kernel: LoopKernel;
  protected readonly code: Code;
  protected readonly frame: KernelFrame;
  protected readonly opening: Opening;

  constructor(kernel: LoopKernel, opening: Opening) {
    this.kernel = kernel;
    this.opening = opening;
    this.code = opening.code;
    this.frame = { code: opening.code, pointers: opening.pointers, coordinates: new Map() };
  }

  /** Run `body` for every unit of the thread's part, with the coordinates of the first `loops` loops. */
  protected forUnits(loops: number, body: () => void): void {
    const outer = this.kernel.extents.slice(0, loops).map((extent, loop) => ({ loop, extent }));
    this.forUnitsOf(outer, body);
  }

  /**
   * Run `body` for every unit of the thread's part: a combination of iterations, the last of which are the fastest. Those of the kernel's loops are
   * coordinates in it.
   */
  protected forUnitsOf(
    outer: readonly { readonly loop?: number; readonly extent: number }[],
    body: (unit: Local, iterations: readonly Local[]) => void,
  ): void {
    const { code, opening, frame } = this;
    const [unit, rest] = [code.local("pointer"), code.local("pointer")];
    const iterations = outer.map(({ loop }) => {
      const at = (loop === undefined ? undefined : frame.coordinates.get(loop)) ?? code.local("pointer");
      if (loop !== undefined) frame.coordinates.set(loop, at);
      return at;
    });
    code.count(unit, { from: () => code.get(opening.begin), to: () => code.get(opening.end) }, () => {
      code.get(unit).set(rest);
      for (let k = outer.length - 1; k >= 0; k--) {
        const { extent } = outer[k]!;
        code.get(rest);
        if (k > 0) code.address(extent).pointerOp("rem_u");
        code.set(iterations[k]!);
        if (k > 0) code.get(rest).address(extent).pointerOp("div_u").set(rest);
      }
      body(unit, iterations);
    });
  }

  /** Iterations of those of the units' loops, from the first, that are the kernel's in their order. */
  protected rowsOf(outer: readonly { readonly loop: number; readonly extent: number }[]): number {
    const { extents } = this.kernel;
    const other = outer.findIndex(({ loop, extent }, k) => loop !== k || extent !== extents[k]);
    return size(outer.slice(0, other < 0 ? outer.length : other).map(({ extent }) => extent));
  }

  /** Run `body` in nested loops, of these extents. */
  protected nest(loops: readonly number[], extents: readonly number[], body: () => void): void {
    const [loop] = loops;
    if (loop === undefined) {
      body();
      return;
    }
    const at = this.code.local("pointer");
    this.frame.coordinates.set(loop, at);
    const to = () => void this.code.address(extents[0]!);
    this.code.count(at, { to }, () => this.nest(loops.slice(1), extents.slice(1), body));
    this.frame.coordinates.delete(loop);
  }
}

/** What the writers of kernels that reduce share. */
export abstract class ReducingRenderer extends LoopRenderer {
  protected readonly reduction: Reduction;

  constructor(kernel: LoopKernel, reduction: Reduction, opening: Opening) {
    super(kernel, opening);
    this.reduction = reduction;
  }

  protected accumulators(count: number): Accumulator[] {
    return Array.from(
      { length: count },
      () => new Accumulator(this.code, this.reduction.op, this.reduction.body.dtype),
    );
  }

  /** Store what the result makes of the reduction: vectors of neighbours along a loop, or one value in the first lane. */
  protected finish(reduced: readonly Local[], vector: number | undefined, lanes: 1 | 4): void {
    const { kernel, frame } = this;
    const strip = new Strip(frame, { roots: [kernel.result], store: kernel, vector, lanes });
    reduced.forEach((local, k) => {
      strip.writer({ shift: 4 * k, reduced: local }).write(kernel.result);
      strip.store(4 * k);
    });
  }
}

/** How many vectors a turn of a loop computes: more where the values are few. */
export const unrolled = (values: number): number => (values <= 8 ? 4 : values <= 16 ? 2 : 1);

/** Pushes how many iterations there are. */
export type Count = { readonly known: number } | { readonly local: Local };

/** Turns of `step` iterations while as many are left, with `left` counting down. */
function turns(code: Code, left: Local, step: number, body: () => void): void {
  const enough = () => code.get(left).address(step).pointerOp("ge_u");
  enough();
  code.if(() =>
    code.loop(() => {
      body();
      code.get(left).address(step).pointerOp("sub").set(left);
      enough();
      code.branchIf(0);
    }),
  );
}

/** Runs `body` for `count` iterations: several vectors at a time, then a vector, then single elements. */
export function strides(
  code: Code,
  count: Count,
  vectors: number,
  body: (vectors: number, lanes: 1 | 4) => void,
): void {
  const left = code.local("pointer");
  if ("known" in count) code.address(count.known);
  else code.get(count.local);
  code.set(left);
  const most = "known" in count ? count.known : Number.POSITIVE_INFINITY;
  const rest = (step: number) => ("known" in count ? count.known % step : Number.POSITIVE_INFINITY);
  if (vectors > 1 && most >= 4 * vectors) turns(code, left, 4 * vectors, () => body(vectors, 4));
  if (most >= 4 && (vectors === 1 ? most : rest(4 * vectors)) >= 4) turns(code, left, 4, () => body(1, 4));
  if (rest(4) > 0) turns(code, left, 1, () => body(1, 1));
}
