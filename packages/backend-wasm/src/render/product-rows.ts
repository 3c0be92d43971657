import type { LoopKernel, Reduction } from "@finegrain/codegen";
import { size } from "@finegrain/graph";
import type { Opening, Target } from "./kernel.ts";
import { ReducingRenderer, strides, type Work } from "./loop-renderer.ts";
import type { Product } from "./product.ts";
import { Strip } from "./strip.ts";

/** Accumulators that fit into the processor's registers beside the operands. */
const ACCUMULATORS = 8;

/**
 * Inner products of a few vectors with the rows of a matrix, contiguous or picked: several rows at a time, so that several reads
 * of memory are under way.
 */
export class RowProductRenderer extends ReducingRenderer {
  readonly #product: Product;
  readonly #target: Target;
  readonly #few: number;
  readonly #block: number;
  readonly #vectors: number;
  readonly #last: number;

  constructor(
    kernel: LoopKernel,
    reduction: Reduction,
    opening: Opening,
    { product, target }: { product: Product; target: Target },
  ) {
    super(kernel, reduction, opening);
    this.#product = product;
    this.#target = target;
    this.#few = size(product.rows.map((loop) => kernel.extents[loop]!));
    this.#last = product.columns.at(-1)!;
    this.#block = [4, 2, 1].find((n) => kernel.extents[this.#last]! % n === 0 && n * this.#few <= ACCUMULATORS)!;
    this.#vectors = Math.max(1, Math.floor(ACCUMULATORS / (this.#block * this.#few)));
  }

  render(): Work {
    const { kernel, code, frame } = this;
    const { batch, columns } = this.#product;
    const outer = [...batch, ...columns].map((loop) => ({
      loop,
      extent: loop === this.#last ? kernel.extents[loop]! / this.#block : kernel.extents[loop]!,
    }));
    const block = code.local("pointer");
    this.forUnitsOf(outer, () => {
      code.get(frame.coordinates.get(this.#last)!).address(this.#block).pointerOp("mul").set(block);
      this.#rows(block);
    });
    return { units: size(outer.map(({ extent }) => extent)), grain: 1, work: this.work };
  }

  #rows(first: ReturnType<typeof this.code.local>): void {
    const { code, frame, reduction } = this;
    const { x, y, summed, rows } = this.#product;
    const blockAt = frame.coordinates.get(this.#last)!;
    const at = code.local("pointer");
    const place = (row: number) => {
      code.get(first).address(row).pointerOp("add").set(at);
      frame.coordinates.set(this.#last, at);
    };
    const along = { along: summed, vector: summed, lanes: 4 as const };
    const strips = Array.from({ length: this.#block }, (_, row) => {
      place(row);
      return new Strip(frame, { roots: [y], ...along });
    });
    const vectors = Array.from({ length: this.#few }, (_, k) => {
      this.#placeFew(k);
      return new Strip(frame, { roots: [x], ...along });
    });
    const sums = strips.map(() => vectors.map(() => this.accumulators(this.#vectors)));
    for (const sum of sums.flat(2)) sum.reset();
    const [xs, ys] = [vectors.map(() => code.local("v128")), code.local("v128")];
    strides(code, { known: reduction.extents[0]! }, this.#vectors, (count, lanes) => {
      for (let k = 0; k < count; k++) {
        vectors.forEach((strip, few) => {
          strip.writer(4 * k, undefined, lanes).write(x);
          code.set(xs[few]!);
        });
        strips.forEach((strip, row) => {
          strip.writer(4 * k, undefined, lanes).write(y);
          code.set(ys);
          // Of single elements the other lanes are zeros, and add nothing.
          for (const [few, local] of xs.entries()) sums[row]![few]![k]!.addProduct(local, ys, this.#target.relaxed);
        });
      }
      for (const strip of [...vectors, ...strips]) strip.advance(lanes * count);
    });
    sums.forEach((few, row) => {
      place(row);
      few.forEach((parts, k) => {
        for (const other of parts.slice(1)) parts[0]!.merge(other);
        parts[0]!.gather();
        if (rows.length > 0) this.#placeFew(k);
        this.finish([parts[0]!.result], undefined, 1);
      });
    });
    frame.coordinates.set(this.#last, blockAt);
  }

  /** Stand at one of the few vectors. */
  #placeFew(k: number): void {
    const { code, frame } = this;
    const [loop] = this.#product.rows;
    if (loop === undefined) return;
    const at = frame.coordinates.get(loop) ?? code.local("pointer");
    frame.coordinates.set(loop, at);
    code.address(k).set(at);
  }
}
