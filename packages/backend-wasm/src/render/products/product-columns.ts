import type { Load, LoopKernel, Reduction } from "@finegrain/codegen";
import { size } from "@finegrain/graph";
import type { Local } from "../../assembler/code.ts";
import type { Opening } from "../kernel.ts";
import { type Count, type Division, strides } from "../loops/loop-renderer.ts";
import { Strip } from "../loops/strip.ts";
import { type ColumnsPlan, planColumns } from "./plan-columns.ts";
import { type ProductOptions, ProductRenderer } from "./product-renderer.ts";

/** Rows of the matrix, and how far each is from the next. */
interface Block {
  readonly rows: number;
  readonly apart: number;
}

/**
 * A few vectors times a matrix whose rows are contiguous along the result, or picked: rows are scaled and added up, several in one
 * pass over the result, so that memory is read in long runs.
 */
export class ColumnProductRenderer extends ProductRenderer {
  readonly #plan: ColumnsPlan;
  /** Vectors before those that are summed up together. */
  readonly #before: Local;

  constructor(kernel: LoopKernel, reduction: Reduction, opening: Opening, options: ProductOptions) {
    super(kernel, reduction, opening, options);
    this.#plan = planColumns(options.product, reduction.until !== undefined);
    this.#before = opening.code.local("pointer");
  }

  render(): Division {
    const { kernel, code, frame, opening } = this;
    const { batch, columns } = this.product;
    const column = this.#plan.column;
    const outer = [...batch, ...columns.slice(0, -1)].map((loop) => ({ loop, extent: kernel.extents[loop]! }));
    const length = kernel.extents[column]!;
    if (outer.length > 0) {
      this.forUnitsOf(outer, () => this.#sums({ known: length }));
      return { units: size(outer.map(({ extent }) => extent)), grain: 1, rows: this.rowsOf(outer) };
    }
    const count = code.local("pointer");
    frame.coordinates.set(column, opening.begin);
    code.get(opening.end).get(opening.begin).pointerOp("sub").set(count);
    this.#sums({ local: count });
    return { units: length, grain: 16, rows: kernel.extents.length === 1 ? length : 1 };
  }

  /** All vectors, as many at a time as the plan has. */
  #sums(count: Count): void {
    const { code } = this;
    const { few, vectors } = this.#plan;
    if (few === vectors) {
      this.#sum(count);
      return;
    }
    const to = () => code.address(vectors);
    code.count(this.#before, { to, step: few }, () => this.#sum(count));
  }

  /** All of the summed loop over some columns. */
  #sum(count: Count): void {
    const { code, frame, reduction } = this;
    const { summed } = this;
    const length = reduction.extents[0]!;
    const { block, passes, apart, step, first, rest, ends } = this.#plan;
    const at = code.local("pointer");
    frame.coordinates.set(summed, at);
    const end = ends ? this.whole(reduction.until!) : undefined; // without it a sum does not end early
    code.address(0).set(at);
    // The first pass stores, the others add to what is there.
    this.#pass({ rows: first, apart: passes > 0 ? apart : 1 }, count, true);
    const to = () => (end ? code.get(end) : code.address(passes));
    code.count(at, { from: () => code.address(step), to, step }, () =>
      this.#pass({ rows: block, apart }, count, false),
    );
    if (length > rest)
      code.count(at, { from: () => code.address(rest), to: () => code.address(length) }, () =>
        this.#pass({ rows: 1, apart: 1 }, count, false),
      );
    frame.coordinates.delete(summed);
    this.#epilogue(count);
  }

  /** Add some rows to the result. */
  #pass(block: Block, count: Count, fresh: boolean): void {
    const { code, frame, kernel } = this;
    const { y } = this.product;
    const few = Array.from({ length: this.#plan.few }, (_, k) => k);
    const { factors, sources } = this.#block(block);
    const target: Load = { kind: "load", dtype: "float32", from: kernel.to, at: kernel.at };
    const sums = few.map((k) => {
      this.#few(k);
      return new Strip(frame, {
        roots: [target],
        store: kernel,
        along: this.#plan.column,
        vector: this.#plan.column,
        lanes: 4,
      });
    });
    const [row, sum] = [code.local("v128"), few.map(() => code.local("v128"))];
    strides(code, count, this.#plan.unrolled, (vectors, lanes) => {
      for (let v = 0; v < vectors; v++) {
        few.forEach((k) => {
          if (fresh) code.splat(0, "f32");
          else sums[k]!.writer({ shift: 4 * v }, lanes).write(target);
          code.set(sum[k]!);
        });
        for (let i = 0; i < block.rows; i++) {
          sources[i]!.writer({ shift: 4 * v }, lanes).write(y.value);
          code.set(row);
          for (const k of few) this.multiplyAdd(factors[k]![i]!, row, sum[k]!);
        }
        few.forEach((k) => {
          code.get(sum[k]!);
          sums[k]!.store(4 * v, lanes);
        });
      }
      for (const strip of [...sums, ...sources]) strip.advance(lanes * vectors);
    });
  }

  /** The factors of a block's rows, in all lanes, and where the rows are. */
  #block({ rows: count, apart }: Block): { factors: Local[][]; sources: Strip[] } {
    const { code, frame } = this;
    const { x, y } = this.product;
    const { summed } = this;
    const start = frame.coordinates.get(summed)!;
    const at = code.local("pointer");
    const factors: Local[][] = Array.from({ length: this.#plan.few }, () => []);
    const sources: Strip[] = [];
    frame.coordinates.set(summed, at);
    for (let i = 0; i < count; i++) {
      code
        .get(start)
        .address(i * apart)
        .pointerOp("add")
        .set(at);
      sources.push(
        new Strip(frame, { roots: [y.value], along: this.#plan.column, vector: this.#plan.column, lanes: 4 }),
      );
      for (let k = 0; k < this.#plan.few; k++) {
        this.#few(k);
        const local = code.local("v128");
        new Strip(frame, { roots: [x.value], lanes: 4 }).writer().write(x.value);
        code.set(local);
        factors[k]!.push(local);
      }
    }
    frame.coordinates.set(summed, start);
    return { factors, sources };
  }

  /** Go to the k-th of the vectors that are summed up together, where there are several. */
  #few(k: number): void {
    const { code, frame } = this;
    const loop = this.product.rows[0];
    if (loop === undefined) return;
    const at = frame.coordinates.get(loop) ?? code.local("pointer");
    frame.coordinates.set(loop, at);
    code.address(k);
    if (this.#plan.few < this.#plan.vectors) code.get(this.#before).pointerOp("add");
    code.set(at);
  }

  /** What the result makes of the sums, where it is more than they. */
  #epilogue(count: Count): void {
    const { code, frame, kernel } = this;
    if (kernel.result.kind === "reduced") return;
    const sum: Load = { kind: "load", dtype: "float32", from: kernel.to, at: kernel.at };
    const reduced = code.local("v128");
    for (let k = 0; k < this.#plan.few; k++) {
      this.#few(k);
      const strip = new Strip(frame, {
        roots: [sum, kernel.result],
        store: kernel,
        along: this.#plan.column,
        vector: this.#plan.column,
        lanes: 4,
      });
      strides(code, count, 1, (_, lanes) => {
        strip.writer({}, lanes).write(sum);
        code.set(reduced);
        strip.writer({ reduced }, lanes).write(kernel.result);
        strip.store(0, lanes);
        strip.advance(lanes);
      });
    }
  }
}
