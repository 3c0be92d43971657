import {
  type Expression,
  type Load,
  type LoopKernel,
  type Reduction,
  variesAlong,
  wantedColumns,
} from "@finegrain/codegen";
import { size } from "@finegrain/graph";
import type { Local } from "../../assembler/code.ts";
import type { Opening } from "../kernel.ts";
import { type Division, strides } from "../loops/loop-renderer.ts";
import { Strip } from "../loops/strip.ts";
import { planRows, type RowsPlan } from "./plan-rows.ts";
import { type ProductOptions, ProductRenderer } from "./product-renderer.ts";

/** Vectors of a row that a turn of the loop reads. */
const UNROLLED = 2;

/**
 * Inner products of a few vectors with the rows of a matrix, contiguous or picked: several rows at a time, so that several reads
 * of memory are under way.
 */
export class RowProductRenderer extends ProductRenderer {
  readonly #plan: RowsPlan;
  /** How many columns are wanted, where that is known when the kernel runs only. */
  readonly #wanted: Expression | undefined;

  constructor(kernel: LoopKernel, reduction: Reduction, opening: Opening, options: ProductOptions) {
    super(kernel, reduction, opening, options);
    const { product } = options;
    this.#plan = planRows(product);
    this.#wanted = wantedColumns(kernel, product);
  }

  render(): Division {
    const { kernel } = this;
    const { batch, columns, rows } = this.product;
    const shared = new Map([
      [this.#plan.last, this.#plan.block],
      ...rows.slice(-1).map((loop) => [loop, this.#plan.few] as const),
    ]);
    const outer = [...batch, ...columns, ...rows].map((loop) => ({
      loop,
      extent: kernel.extents[loop]! / (shared.get(loop) ?? 1),
    }));
    const wanted = this.#wanted && this.whole(this.#wanted);
    this.forUnitsOf(outer, () => this.#rows(wanted));
    return { units: size(outer.map(({ extent }) => extent)), grain: 1, rows: this.rowsOf(outer) };
  }

  /** The products of a block of the matrix's rows and a few vectors. @param wanted how many of those rows are. */
  #rows(wanted: Local | undefined): void {
    const { code, frame, reduction } = this;
    const { x, y, rows } = this.product;
    const { summed } = this;
    const shared = rows.at(-1);
    const units = [this.#plan.last, ...rows.slice(-1)].map((loop) => [loop, frame.coordinates.get(loop)!] as const);
    const row = this.#stand(this.#plan.last, this.#plan.block);
    const few = shared === undefined ? () => {} : this.#stand(shared, this.#plan.few);
    const along = { along: summed, vector: summed, lanes: 4 as const };
    const strips = this.#strips(y.load, this.#plan.last, this.#plan.block, (k) => {
      row(k);
      return new Strip(frame, { roots: [y.value], ...along });
    });
    const vectors = this.#strips(x.load, shared, this.#plan.few, (k) => {
      few(k);
      return new Strip(frame, { roots: [x.value], ...along });
    });
    const sums = strips.map(() => vectors.map(() => this.accumulators(this.#plan.vectors)));
    for (const sum of sums.flat(2)) sum.reset();
    const [xs, ys] = [vectors.map(() => code.local("v128")), code.local("v128")];
    const multiply = (count: number, lanes: 1 | 4) => {
      for (let k = 0; k < count; k++) {
        vectors.forEach(({ strip, displacement }, i) => {
          strip.writer({ shift: 4 * k, displacement }, lanes).write(x.value);
          code.set(xs[i]!);
        });
        strips.forEach(({ strip, displacement }, j) => {
          strip.writer({ shift: 4 * k, displacement }, lanes).write(y.value);
          code.set(ys);
          // Of single elements x has zeros in the other lanes, which add nothing.
          for (const [i, local] of xs.entries())
            this.multiplyAdd(local, ys, sums[j]![i]![k % this.#plan.vectors]!.result);
        });
      }
      for (const strip of new Set([...vectors, ...strips].map((of) => of.strip))) strip.advance(lanes * count);
    };
    code.block(() => {
      if (wanted) {
        row(0);
        code.get(frame.coordinates.get(this.#plan.last)!).get(wanted).pointerOp("ge_u").branchIf(0);
      }
      strides(code, { known: reduction.extents[0]! }, UNROLLED, multiply);
    });
    sums.forEach((ofRow, j) => {
      row(j);
      ofRow.forEach((parts, i) => {
        for (const other of parts.slice(1)) parts[0]!.merge(other);
        parts[0]!.gather();
        few(i);
        this.finish([parts[0]!.result], undefined, 1);
      });
    });
    for (const [loop, at] of units) frame.coordinates.set(loop, at);
  }

  /**
   * A function that goes to the k-th of the places that a unit does. They are as far apart as can be, so that each follows, from unit to
   * unit, memory of its own without a gap; but side by side where those from some place on are not wanted.
   */
  #stand(loop: number, count: number): (k: number) => void {
    const { code, frame } = this;
    const unit = frame.coordinates.get(loop)!;
    const at = code.local("pointer");
    return (k) => {
      code.get(unit);
      if (this.#isBeside(loop)) code.address(count).pointerOp("mul");
      code
        .address(k * this.#apart(loop, count))
        .pointerOp("add")
        .set(at);
      frame.coordinates.set(loop, at);
    };
  }

  #isBeside(loop: number): boolean {
    return loop === this.#plan.last && this.#wanted !== undefined;
  }

  /** How far the places of a unit are apart. */
  #apart(loop: number, count: number): number {
    return this.#isBeside(loop) ? 1 : this.kernel.extents[loop]! / count;
  }

  /** Strips at the places of a unit: one for all where they are a known distance apart, else one for each. */
  #strips(load: Load, loop: number | undefined, count: number, make: (k: number) => Strip) {
    const picked = loop !== undefined && load.at.dynamic.some(({ value }) => variesAlong(value, loop));
    const first = make(0);
    const apart = loop === undefined ? 0 : load.at.strides[loop]! * this.#apart(loop, count);
    return Array.from({ length: count }, (_, k) =>
      picked ? { strip: k === 0 ? first : make(k), displacement: 0 } : { strip: first, displacement: k * apart },
    );
  }
}
