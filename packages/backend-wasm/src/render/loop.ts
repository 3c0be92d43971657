import { expressionsOf, type LoopKernel, type Reduction } from "@finegrain/codegen";
import { size } from "@finegrain/graph";
import type { Code, Local } from "../assembler/code.ts";
import { Accumulator } from "./accumulator.ts";
import type { Opening, RenderedKernel } from "./kernel.ts";
import { type KernelFrame, Strip } from "./strip.ts";

/** How the work of a kernel is divided. */
type Work = Pick<RenderedKernel, "units" | "grain" | "work">;

/** Any loop kernel, with four elements at a time along its innermost loop. */
export function renderLoop(kernel: LoopKernel, opening: Opening): Work {
  const { reduction, extents } = kernel;
  if (!reduction) return new ElementwiseRenderer(kernel, opening).render();
  if (reduction.extents.length === 0 || !acrossColumns(kernel, reduction))
    return new RowRenderer(kernel, reduction, opening).render();
  return extents.length === 0
    ? new RowRenderer(kernel, reduction, opening).render()
    : new ColumnRenderer(kernel, reduction, opening).render();
}

/** Whether neighbours in memory are neighbours in the result, and not in the reduced loop. */
function acrossColumns({ extents }: LoopKernel, { body, extents: reduced }: Reduction): boolean {
  const [column, row] = [extents.length - 1, extents.length + reduced.length - 1];
  const loads = expressionsOf(body).flatMap((e) => (e.kind === "load" ? [e.at.strides] : []));
  const along = (loop: number) => loads.filter((strides) => strides[loop] === 1).length;
  return column >= 0 && along(column) > along(row);
}

abstract class LoopRenderer {
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
    const { code, opening, frame } = this;
    const unit = code.local("pointer");
    const rest = code.local("pointer");
    const outer = this.kernel.extents.slice(0, loops);
    code.count(unit, { from: () => code.get(opening.begin), to: () => code.get(opening.end) }, () => {
      code.get(unit).set(rest);
      for (let loop = loops - 1; loop >= 0; loop--) {
        const at = frame.coordinates.get(loop) ?? code.local("pointer");
        frame.coordinates.set(loop, at);
        code.get(rest);
        if (loop > 0) code.address(outer[loop]!).pointerOp("rem_u");
        code.set(at);
        if (loop > 0) code.get(rest).address(outer[loop]!).pointerOp("div_u").set(rest);
      }
      body();
    });
  }

  /** Run `body` in nested loops from `first` to before `end`. */
  protected nest(first: number, end: number, extents: readonly number[], body: () => void): void {
    if (first === end) {
      body();
      return;
    }
    const at = this.code.local("pointer");
    this.frame.coordinates.set(first, at);
    const to = () => void this.code.address(extents[0]!);
    this.code.count(at, { to }, () => this.nest(first + 1, end, extents.slice(1), body));
    this.frame.coordinates.delete(first);
  }

  protected get work(): number {
    const { extents, reduction, result } = this.kernel;
    const each =
      expressionsOf(result).length + (reduction ? size(reduction.extents) * expressionsOf(reduction.body).length : 0);
    return size(extents) * each;
  }
}

/** How many vectors a turn of a loop computes: more where the values are few. */
const unrolled = (values: number): number => (values <= 8 ? 4 : values <= 16 ? 2 : 1);

/** Pushes how many iterations there are. */
type Count = { readonly known: number } | { readonly local: Local };

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
function strides(code: Code, count: Count, vectors: number, body: (vectors: number, lanes: 1 | 4) => void): void {
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

class ElementwiseRenderer extends LoopRenderer {
  render(): Work {
    const { kernel, code, opening, frame } = this;
    const inner = kernel.extents.length - 1;
    const strip = (count: Count | undefined) => this.#strip(inner, count);
    if (inner < 0) {
      strip(undefined);
      return { units: 1, grain: 1, work: this.work };
    }
    const length = kernel.extents[inner]!;
    if (inner === 0) {
      frame.coordinates.set(0, opening.begin);
      const count = code.local("pointer");
      code.get(opening.end).get(opening.begin).pointerOp("sub").set(count);
      strip({ local: count });
      return { units: length, grain: 16, work: this.work };
    }
    this.forUnits(inner, () => strip({ known: length }));
    return { units: size(kernel.extents) / length, grain: 1, work: this.work };
  }

  #strip(inner: number, count: Count | undefined): void {
    const { kernel, code, frame } = this;
    const along = count === undefined ? undefined : inner;
    const strip = new Strip(frame, { roots: [kernel.result], store: kernel, along, vector: along, lanes: 4 });
    const element = (vectors: number, lanes: 1 | 4) => {
      for (let k = 0; k < vectors; k++) {
        strip.writer(4 * k, undefined, lanes).write(kernel.result);
        strip.store(4 * k, lanes);
      }
      strip.advance(lanes * vectors);
    };
    if (count === undefined) element(1, 1);
    else strides(code, count, unrolled(expressionsOf(kernel.result).length), element);
  }
}

abstract class ReducingRenderer extends LoopRenderer {
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

  /** Store what the result makes of the reduction. */
  protected finish(accumulators: readonly Accumulator[], vector: number | undefined, lanes: 1 | 4): void {
    const { kernel, frame } = this;
    const strip = new Strip(frame, { roots: [kernel.result], store: kernel, vector, lanes });
    accumulators.forEach((accumulator, k) => {
      strip.writer(4 * k, accumulator.result).write(kernel.result);
      strip.store(4 * k);
    });
  }
}

/** One result at a time: the lanes are neighbours in the reduced loop. */
class RowRenderer extends ReducingRenderer {
  render(): Work {
    const { kernel, reduction } = this;
    const parallel = kernel.extents.length;
    const last = parallel + reduction.extents.length - 1;
    const vectors = reduction.op === "argMax" ? 1 : unrolled(expressionsOf(reduction.body).length);
    const wide = this.accumulators(vectors);
    const [single] = this.accumulators(1) as [Accumulator];
    this.forUnits(parallel, () => {
      for (const accumulator of [...wide, single]) accumulator.reset();
      this.nest(parallel, Math.max(parallel, last), reduction.extents, () => this.#row(last, wide, single));
      for (const other of wide.slice(1)) wide[0]!.merge(other);
      wide[0]!.gather();
      wide[0]!.merge(single);
      this.finish([wide[0]!], undefined, 1);
    });
    return { units: size(kernel.extents), grain: 1, work: this.work };
  }

  #row(last: number, wide: readonly Accumulator[], single: Accumulator): void {
    const { reduction, code, frame, kernel } = this;
    const along = reduction.extents.length > 0 ? last : undefined;
    const strip = new Strip(frame, { roots: [reduction.body], along, vector: along, lanes: 4 });
    const at = reduction.op === "argMax" ? code.local("v128") : undefined;
    if (at !== undefined) code.lanes([0, 1, 2, 3], "i32").set(at);
    const fold = (vectors: number, lanes: 1 | 4) => {
      for (let k = 0; k < vectors; k++) {
        strip.writer(4 * k, undefined, lanes).write(reduction.body);
        (lanes === 1 ? single : wide[k]!).fold(() => code.get(at!));
      }
      if (at !== undefined)
        code
          .get(at)
          .splat(lanes * vectors, "i32")
          .vector("i32x4.add")
          .set(at);
      strip.advance(lanes * vectors);
    };
    if (along === undefined) fold(1, 1);
    else strides(code, { known: reduction.extents[last - kernel.extents.length]! }, wide.length, fold);
  }
}

/** Neighbouring results at a time: the lanes are neighbours in the last parallel loop. */
class ColumnRenderer extends ReducingRenderer {
  render(): Work {
    const { kernel, opening, code } = this;
    const column = kernel.extents.length - 1;
    const length = kernel.extents[column]!;
    const at = code.local("pointer");
    this.frame.coordinates.set(column, at);
    if (column === 0) {
      const count = code.local("pointer");
      code.get(opening.begin).set(at).get(opening.end).get(opening.begin).pointerOp("sub").set(count);
      this.#columns(at, { local: count });
      return { units: length, grain: 16, work: this.work };
    }
    this.forUnits(column, () => {
      code.address(0).set(at);
      this.#columns(at, { known: length });
    });
    return { units: size(kernel.extents) / length, grain: 1, work: this.work };
  }

  #columns(at: Local, count: Count): void {
    const { code, reduction } = this;
    strides(code, count, unrolled(expressionsOf(reduction.body).length), (vectors, lanes) => {
      this.#block(vectors, lanes);
      code
        .get(at)
        .address(lanes * vectors)
        .pointerOp("add")
        .set(at);
    });
  }

  #block(vectors: number, lanes: 1 | 4): void {
    const { kernel, reduction, frame, code } = this;
    const parallel = kernel.extents.length;
    const column = parallel - 1;
    const along = parallel + reduction.extents.length - 1;
    const accumulators = this.accumulators(vectors);
    for (const accumulator of accumulators) accumulator.reset();
    this.nest(parallel, along, reduction.extents, () => {
      const strip = new Strip(frame, { roots: [reduction.body], along, vector: column, lanes });
      const index = reduction.op === "argMax" ? code.local("v128") : undefined;
      if (index !== undefined) code.splat(0, "i32").set(index);
      const turn = code.local("pointer");
      code.count(turn, { to: () => code.address(reduction.extents.at(-1)!) }, () => {
        accumulators.forEach((accumulator, k) => {
          strip.writer(4 * k).write(reduction.body);
          accumulator.fold(() => code.get(index!));
        });
        strip.advance(1);
        if (index !== undefined) code.get(index).splat(1, "i32").vector("i32x4.add").set(index);
      });
    });
    this.finish(accumulators, column, lanes);
  }
}
