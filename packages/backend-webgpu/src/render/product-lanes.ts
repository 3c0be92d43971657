import { asProduct, type LoopKernel, type Product } from "@finegrain/codegen";
import { Block } from "./block.ts";
import { ExpressionWriter, isAligned } from "./expression.ts";
import { loopEnd, type Opening, type RenderedKernel } from "./kernel.ts";
import { decode, storeResult } from "./loops.ts";
import { ProductWriter } from "./product-writer.ts";

/** Rows that a lane has sums of at most. */
const MOST_ROWS = 4;
/** Columns, or vectors of four of them, that a lane of a CPU has sums of at most: so often it uses what it read of a row. */
const MOST_COLUMNS = 4;
/** A sum is not cut into parts of fewer steps than this. */
const FEW_STEPS = 16;

/**
 * A product in which every lane has columns of its own, and all lanes the same rows: what they read of the operand `x` is one address for all
 * of them, and what they read of `y` lies side by side. For few rows, and for CPUs, which have no use for tiles in a workgroup's memory.
 */
export function renderLanes(kernel: LoopKernel, product: Product, opening: Opening): RenderedKernel {
  return new LanesWriter(kernel, product, opening).write();
}

/** The kernel as a product whose `y` can be read in vectors, along its columns or along the sum. */
export function asLanes(kernel: LoopKernel): Product | undefined {
  const product = asProduct(kernel);
  if (!product || product.columns.length === 0 || product.summed.length === 0) return undefined;
  return vectorOf(kernel, product) === undefined ? undefined : product;
}

/** The loop whose neighbours are the lanes of a vector. */
function vectorOf({ extents, reduction }: LoopKernel, { y, columns, summed }: Product): number | undefined {
  const all = [...extents, ...reduction!.extents]; // a product has one
  return [columns.at(-1)!, summed.at(-1)!].find((loop) => all[loop]! % 4 === 0 && isAligned(y.load, loop));
}

class LanesWriter extends ProductWriter {
  readonly #vector: number;
  /** Whether a vector is four columns, and not four steps of the sum. */
  readonly #wide: boolean;
  readonly #rows: number;
  /** Columns of a lane, or vectors of them. */
  readonly #columns: number;
  readonly #steps: number;
  readonly #parts: number;

  constructor(kernel: LoopKernel, product: Product, opening: Opening) {
    super(kernel, product, opening);
    this.#vector = vectorOf(kernel, product)!; // asked by `asLanes`
    this.#wide = this.#vector < kernel.extents.length;
    this.#rows = Math.min(MOST_ROWS, this.extent(product.rows));
    this.#steps = this.extent(product.summed) / (this.#wide ? 1 : 4);
    const { wanted, lanes, cpu } = opening.target;
    const sums =
      (this.extent([...product.batch, ...product.columns]) * Math.ceil(this.extent(product.rows) / this.#rows)) /
      (this.#wide ? 4 : 1);
    let columns = 1;
    while (cpu && sums >= 2 * columns * wanted && columns < MOST_COLUMNS) columns *= 2;
    this.#columns = columns;
    let parts = 1;
    while (sums * parts < columns * wanted && 2 * parts <= lanes && this.#steps >= 2 * parts * FEW_STEPS) parts *= 2;
    this.#parts = parts;
  }

  write(): RenderedKernel {
    const { name, target } = this.opening;
    const { batch, rows, columns } = this.product;
    const width = this.#wide ? 4 : 1;
    const beside = target.lanes / this.#parts;
    const across = beside * this.#columns;
    const counts = [this.extent(batch), this.extent(rows) / this.#rows, this.extent(columns) / (across * width)];
    const [, rowBlocks, blocks] = counts.map(Math.ceil) as [number, number, number];
    const body = new Block().nest(`fn ${name}(first: u32, last: u32, lane: u32, zero: u32)`, (outer) => {
      outer.nest("for (var item = first; item < last; item++)", (block) => {
        // What all lanes share comes from the item, what each has from its lane.
        block.add(
          ...this.#each((column) => [
            `let column${column} = ${width}u * (item % ${blocks}u * ${across}u + ${column * beside}u + lane % ${beside}u);`,
            `let own${column} = min(column${column}, ${this.extent(columns) - width}u);`,
          ]),
          `let row0 = ${this.#rows}u * (item / ${blocks}u % ${rowBlocks}u);`,
          `let batch = item / ${blocks * rowBlocks}u;`,
          `let part = lane / ${beside}u;`,
        );
        this.#sum(block);
        this.#store(block);
      });
    });
    const memory = this.#parts > 1 ? { scratch: target.lanes } : {};
    return { text: body.lines.join("\n"), items: this.extent(batch) * rowBlocks * blocks, each: 1, memory };
  }

  /** What each column of a lane takes. */
  #each<T>(of: (column: number) => readonly T[]): T[] {
    return Array.from({ length: this.#columns }, (_, column) => of(column)).flat();
  }

  /** The variables of the loops of a batch and of one of a lane's rows or columns, or both. */
  #loops(block: Block, { row, column }: { row?: number; column?: number }): Map<number, string> {
    const loops = decode(block, "batch", this.product.batch, this.all);
    const add = (item: string, of: readonly number[]) => {
      for (const [loop, variable] of decode(block, item, of, this.all)) loops.set(loop, variable);
    };
    if (row !== undefined) add(this.#row(block, row), this.product.rows);
    if (column !== undefined) add(`own${column}`, this.product.columns);
    return loops;
  }

  /** The last row stands for those beyond it. */
  #row(block: Block, row: number): string {
    const extent = this.extent(this.product.rows);
    return block.let(extent % this.#rows === 0 ? `row0 + ${row}u` : `min(row0 + ${row}u, ${extent - 1}u)`);
  }

  #sum(block: Block): void {
    const { bindings } = this.opening;
    const { x, y, summed } = this.product;
    const rows = Array.from({ length: this.#rows }, (_, row) => this.#loops(block, { row }));
    const columns = this.#each((column) => [this.#loops(block, { column })]);
    for (const row of rows.keys()) block.add(...this.#each((column) => [`var ${total(row, column)} = vec4f(0);`]));
    const end = loopEnd(this.#steps);
    block.nest(
      `for (var step = ${this.#parts === 1 ? "0u" : "part"}; step < ${end}; step += ${this.#parts}u)`,
      (inner) => {
        const steps = decode(inner, this.#wide ? "step" : inner.let("4u * step"), summed, this.all);
        const writer = (loops: ReadonlyMap<number, string>) =>
          new ExpressionWriter(
            bindings,
            [
              { block, loops },
              { block: inner, loops: steps },
            ],
            { vector: this.#vector },
          );
        const theirs = columns.map((loops) => writer(loops).value(y.value, 4));
        for (const [row, loops] of rows.entries()) {
          const ours = writer(loops).value(x.value, this.#wide ? 1 : 4);
          inner.add(...theirs.map((value, column) => `${total(row, column)} += ${ours} * ${value};`));
        }
      },
    );
    if (this.#parts === 1) return;
    for (const row of rows.keys()) for (const column of columns.keys()) this.#join(block, total(row, column));
  }

  /** Bring the parts of a sum together, in the lanes of the first. */
  #join(block: Block, sum: string): void {
    const beside = this.opening.target.lanes / this.#parts;
    block.add("workgroupBarrier();", `scratch[lane] = bitcast<vec4u>(${sum});`, "workgroupBarrier();");
    block.nest(`for (var k = 1u; part == 0u && k < ${loopEnd(this.#parts)}; k++)`, (inner) => {
      inner.add(`${sum} += bitcast<vec4f>(scratch[lane + k * ${beside}u]);`);
    });
  }

  #store(block: Block): void {
    const [height, width] = [this.extent(this.product.rows), this.extent(this.product.columns)];
    for (let column = 0; column < this.#columns; column++)
      block.nest(`if (${this.#parts > 1 ? "part == 0u && " : ""}column${column} < ${width}u)`, (within) => {
        for (let row = 0; row < this.#rows; row++)
          if (height % this.#rows === 0) this.#storeSum(within, row, column);
          else within.nest(`if (row0 + ${row}u < ${height}u)`, (inner) => this.#storeSum(inner, row, column));
      });
  }

  #storeSum(block: Block, row: number, column: number): void {
    const { bindings } = this.opening;
    const sum = total(row, column);
    if (this.#wide && this.#vector !== this.kernel.extents.length - 1) {
      this.#storeApart(block, row, column);
      return;
    }
    const loops = this.#loops(block, { row, column });
    const reduced = this.#wide ? sum : block.let(`dot(${sum}, vec4f(1))`);
    storeResult(this.kernel, { block, loops, bindings, reduced, four: this.#wide });
  }

  /** Four columns that are not neighbours of the innermost loop. */
  #storeApart(block: Block, row: number, column: number): void {
    const { bindings } = this.opening;
    for (let lane = 0; lane < 4; lane++) {
      const loops = this.#loops(block, { row, column });
      loops.set(this.#vector, block.let(`${loops.get(this.#vector)} + ${lane}u`));
      storeResult(this.kernel, { block, loops, bindings, reduced: `${total(row, column)}.${"xyzw"[lane]}` });
    }
  }
}

const total = (row: number, column: number): string => `total${row}_${column}`;
