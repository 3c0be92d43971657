import { asProduct, type Expression, type Factor, type LoopKernel, type Product } from "@finegrain/codegen";
import { size } from "@finegrain/graph";
import { Block } from "./block.ts";
import { type Common, ExpressionWriter, isAligned, type Scope, unsigned } from "./expression.ts";
import { joinParts } from "./join-parts.ts";
import { loopEnd, type Opening, type RenderedKernel } from "./kernel.ts";
import { decode, storeResult } from "./loops.ts";
import { ProductWriter } from "./product-writer.ts";
import { sumEnd } from "./sum-end.ts";

/** Rows that a lane has sums of at most. */
const MOST_ROWS = 4;
/** As {@link MOST_ROWS}, on a CPU, whose lanes read a row each and give it to the others. */
const MOST_ROWS_CPU = 8;
/** Columns, or vectors of four of them, that the lanes of a CPU have sums of at most: so often they use what they read of a row. */
const MOST_COLUMNS = 32;
/** Sums that a lane of a CPU has at most, of one column each, or of four: registers hold no more. */
const MOST_SUMS = { 1: 32, 4: 8 };
/** A sum is not cut into parts of fewer steps than this, nor its last loop nested if it has fewer. A GPU has lanes to spare. */
const FEW_STEPS = 4;
/** As {@link FEW_STEPS}, on a CPU. */
const FEW_STEPS_CPU = 16;
/** Lanes of a GPU that read neighbours together fill a line of memory. */
const LINE_LANES = 8;
/** Steps of a sum that a lane of a GPU reads at once. */
const UNROLLED = 4;

/**
 * A product in which every lane has columns of its own, and all lanes the same rows: what they read of the operand `x` is one address for all
 * of them, and what they read of `y` lies side by side. For few rows, and for CPUs, which have no use for tiles in a workgroup's memory.
 */
export function renderLanes(kernel: LoopKernel, product: Product, opening: Opening): RenderedKernel {
  return new LanesWriter(kernel, product, opening).write();
}

/** The kernel as a product whose `y` can be read in vectors, along its columns or along the sum. */
export function asLanes(kernel: LoopKernel, { row, target }: Opening): Product | undefined {
  const product = asProduct(kernel);
  if (!product || product.columns.length === 0 || product.summed.length === 0) return undefined;
  const vector = vectorOf(kernel, product);
  if (vector === undefined || row === undefined) return vector === undefined ? undefined : product;
  return target.cpu && suitsRows(kernel, product, row, target.lanes * (vector < kernel.extents.length ? 4 : 1))
    ? product
    : undefined;
}

/** Whether, in a chain, a workgroup's row is of columns alone, or of all columns of some batches, and these are enough for `lanes` of them. */
function suitsRows({ extents }: LoopKernel, { batch, rows, columns }: Product, row: number, lanes: number): boolean {
  const width = size(columns.map((loop) => extents[loop]!));
  const inOrder = [...batch, ...columns].every((loop, k) => loop === k);
  const whole = batch.length === 0 ? row % lanes === 0 : row % width === 0 && width % lanes === 0;
  return rows.length === 0 && inOrder && whole;
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
  /** Whether a sum is one number all along, and not four that are added up at the end: so a CPU's registers hold more of them. */
  readonly #single: boolean;
  readonly #rows: number;
  /** Columns of a lane, or vectors of them. */
  readonly #columns: number;
  /** Steps of the sum that are read of `x` at once. */
  readonly #reach: 1 | 4;
  readonly #parts: number;
  /** Whether neighbouring lanes have parts of one sum, and not the same part of neighbouring sums. */
  readonly #along: boolean;
  /** Whether the lanes of a subgroup read different rows and steps of `x`, and take the others from one another. */
  readonly #shared: boolean;

  constructor(kernel: LoopKernel, product: Product, opening: Opening) {
    super(kernel, product, opening);
    this.#vector = vectorOf(kernel, product)!; // asked by `asLanes`
    this.#wide = this.#vector < kernel.extents.length;
    const { lanes, subgroup, cpu } = opening.target;
    this.#single = cpu && !this.#wide;
    const wanted = opening.row === undefined ? opening.target.wanted : lanes;
    const height = this.extent(product.rows);
    const beside =
      opening.row === undefined ? this.extent(product.batch) * this.#width : Math.min(opening.row, this.#width);
    const across = beside / (this.#wide ? 4 : 1);
    const sums = (rows: number) => across * Math.ceil(height / rows);
    const tall = cpu && height >= MOST_ROWS_CPU && sums(MOST_ROWS_CPU) >= wanted;
    this.#rows = tall ? MOST_ROWS_CPU : Math.min(MOST_ROWS, height);
    let columns = 1;
    const most = cpu ? Math.min(MOST_COLUMNS / lanes, MOST_SUMS[this.#wide ? 4 : 1] / this.#rows) : 1;
    while (2 * columns <= most && sums(this.#rows) >= 2 * columns * wanted) columns *= 2;
    this.#columns = columns;
    const length = this.extent(product.summed);
    const last = this.#lastSummed;
    const quads = cpu && this.#rows > 1 && this.all[last]! % 4 === 0 && isAligned(product.x.load, last);
    this.#reach = !this.#wide || quads ? 4 : 1;
    const steps = length / this.#reach; // reads of x for a sum
    this.#along = !this.#wide && !cpu;
    const least = this.#along ? LINE_LANES : 1;
    const few = cpu ? FEW_STEPS_CPU : FEW_STEPS;
    const mostParts = cpu || this.#along ? lanes : lanes / LINE_LANES;
    let parts = 1;
    while (
      (sums(this.#rows) * parts < columns * wanted || parts < least) &&
      2 * parts <= mostParts &&
      steps >= 2 * parts * few
    )
      parts *= 2;
    this.#parts = parts;
    const even = lanes % this.#rows === 0 ? steps % (lanes / this.#rows) === 0 : this.#rows % lanes === 0;
    this.#shared = cpu && subgroup === lanes && parts === 1 && even && (this.#rows > 1 || this.#reach === 4);
  }

  write(): RenderedKernel {
    const { name, target, row } = this.opening;
    const { batch, rows } = this.product;
    const beside = target.lanes / this.#parts;
    const across = beside * this.#columns * (this.#wide ? 4 : 1);
    const blocks = Math.ceil(this.#width / across);
    const rowBlocks = Math.ceil(this.extent(rows) / this.#rows);
    const items = this.extent(batch) * rowBlocks * blocks;
    const step = row === undefined ? 1 : across;
    const body = new Block().nest(`fn ${name}(first: u32, last: u32, lane: u32, zero: u32)`, (outer) => {
      outer.nest(`for (var item = first; item < last; item += ${step}u)`, (block) => {
        // What all lanes share comes from the item, what each has from its lane.
        block.add(
          ...(row === undefined
            ? [
                `let base = ${across}u * (item % ${blocks}u);`,
                `let row0 = ${this.#rows}u * (item / ${blocks}u % ${rowBlocks}u);`,
                `let batch = item / ${blocks * rowBlocks}u;`,
              ]
            : [`let base = item % ${this.#width}u;`, `let batch = item / ${this.#width}u;`]),
        );
        this.#place(block, beside);
        this.#sum(block);
        this.#store(block);
      });
    });
    const memory = this.#parts > 1 ? { scratch: target.lanes } : {};
    return {
      text: body.lines.join("\n"),
      items: row === undefined ? items : this.extent(batch) * this.#width,
      each: 1,
      memory,
    };
  }

  /** The columns, the last ones for those beyond the end, and the part of their sums that a lane has. */
  #place(block: Block, beside: number): void {
    const width = this.#wide ? 4 : 1;
    const [own, part] = this.#along
      ? [`lane / ${this.#parts}u`, `lane % ${this.#parts}u`]
      : [`lane % ${beside}u`, `lane / ${beside}u`];
    block.add(
      ...this.#each((column) => [
        `let column${column} = base + ${width}u * (${column * beside}u + ${own});`,
        `let own${column} = min(column${column}, ${this.#end} - ${width}u);`,
      ]),
      `let part = ${part};`,
    );
  }

  get #width(): number {
    return this.extent(this.product.columns);
  }

  /** Text of the end of the columns: of all, or of a workgroup's row. */
  get #end(): string {
    const part = this.opening.row !== undefined && this.product.batch.length === 0;
    return part ? "last" : `${this.#width}u`;
  }

  /** What each column of a lane takes. */
  #each<T>(of: (column: number) => readonly T[]): T[] {
    return Array.from({ length: this.#columns }, (_, column) => of(column)).flat();
  }

  /** The variables of the loops of a batch and of one of a lane's rows or columns, or both. */
  #loops(block: Block, { row, column }: { row?: number | string; column?: number }): Map<number, string> {
    const loops = new Map<number, string>();
    const add = (item: string, of: readonly number[]) => {
      for (const [loop, variable] of decode(block, item, of, this.all)) loops.set(loop, variable);
    };
    add("batch", this.product.batch);
    if (row !== undefined) add(this.#row(block, row), this.product.rows);
    if (column !== undefined) add(`own${column}`, this.product.columns);
    return loops;
  }

  /** The last row stands for those beyond it. */
  #row(block: Block, row: number | string): string {
    const extent = this.extent(this.product.rows);
    if (extent === 1) return "0u";
    const at = `row0 + ${typeof row === "number" ? unsigned(row) : row}`;
    return block.let(extent % this.#rows === 0 ? at : `min(${at}, ${extent - 1}u)`);
  }

  get #lastSummed(): number {
    return this.product.summed.at(-1)!; // asked by `asLanes`
  }

  /** The numbers of a lane's rows. */
  get #ownRows(): number[] {
    return Array.from({ length: this.#rows }, (_, row) => row);
  }

  /** Steps whose rows the lanes read together, each a row and step of its own. */
  get #together(): number {
    return this.#shared ? Math.max(1, this.opening.target.lanes / this.#rows) : 1;
  }

  /** The loops of the sum that steps go along: the last alone, where loops around it nest, and what does not change along it is read once. */
  get #stepped(): readonly number[] {
    const last = this.#lastSummed;
    const steps = this.all[last]! / this.#reach;
    const nests = this.opening.target.cpu && this.#parts === 1 && steps % this.#together === 0;
    return nests && steps >= FEW_STEPS * this.#together ? [last] : this.product.summed;
  }

  #sum(block: Block): void {
    const rows = this.#ownRows;
    const columns = this.#each((column) => [[{ block, loops: this.#loops(block, { column }) }]]);
    const zero = this.#single ? "f32(0)" : "vec4f(0)";
    for (const row of rows) block.add(...this.#each((column) => [`var ${total(row, column)} = ${zero};`]));
    const { target } = this.opening;
    const beside = Math.min(target.lanes, this.#rows);
    const shared = Array.from({ length: this.#rows / beside }, (_, k) => `${k * beside}u + lane % ${beside}u`);
    const read = (this.#shared ? shared : rows).map((row) => [{ block, loops: this.#loops(block, { row }) }]);
    const around = this.product.summed.filter((loop) => !this.#stepped.includes(loop));
    if (around.length === 0) this.#accumulate(block, read, columns);
    else
      block.nest(`for (var turn = 0u; turn < ${loopEnd(this.extent(around), target)}; turn++)`, (inner) => {
        const turn = { block: inner, loops: decode(inner, "turn", around, this.all) };
        const within = (scopes: readonly Scope[]) => [...scopes, turn];
        this.#accumulate(inner, read.map(within), columns.map(within));
      });
    if (this.#parts === 1) return;
    for (const row of rows) for (const column of columns.keys()) this.#join(block, total(row, column));
  }

  /** Go along the sum. @param read the scopes of what a lane reads of `x`; @param columns of what it reads of `y`. */
  #accumulate(block: Block, read: readonly (readonly Scope[])[], columns: readonly (readonly Scope[])[]): void {
    const { target } = this.opening;
    const { lanes, cpu } = target;
    const steps = this.extent(this.#stepped) / this.#reach;
    const unrolled = !cpu && steps % (this.#parts * UNROLLED) === 0 ? UNROLLED : 1;
    const together = this.#together;
    const start = this.#parts === 1 ? "0u" : "part";
    const each = this.#parts * together * unrolled;
    const way = { block, bindings: this.opening.bindings, end: loopEnd(steps, target), reach: this.#reach };
    const end = sumEnd(this.kernel, this.product, way);
    block.nest(`for (var step = ${start}; step < ${end}; step += ${each}u)`, (inner) => {
      const valuesAt = (step: string) =>
        read.map((scopes) => this.#value(this.product.x, [...scopes, this.#at(inner, step)]));
      if (!this.#shared) {
        for (let k = 0; k < unrolled; k++) {
          const step = unrolled === 1 ? "step" : inner.let(`step + ${k * this.#parts}u`);
          this.#multiply(inner, step, valuesAt(step), columns);
        }
        return;
      }
      const values = valuesAt(together === 1 ? "step" : inner.let(`step + lane / ${this.#rows}u`));
      const rows = this.#ownRows;
      if (together === 1) {
        const from = (row: number) => `subgroupBroadcast(${values[Math.floor(row / lanes)]}, ${row % lanes}u)`;
        const ours = rows.map((row) => inner.let(from(row)));
        this.#multiply(inner, "step", ours, columns);
        return;
      }
      inner.nest(`for (var k = 0u; k < ${loopEnd(together, target)}; k++)`, (one) => {
        const ours = rows.map((row) => one.let(`subgroupShuffle(${values[0]}, k * ${this.#rows}u + ${row}u)`));
        this.#multiply(one, one.let("step + k"), ours, columns);
      });
    });
  }

  /** The loops of the sum at the first element of a step. */
  #at(block: Block, step: string): Scope {
    const element = this.#reach === 1 ? step : block.fours(step);
    return { block, loops: decode(block, element, this.#stepped, this.all) };
  }

  /** The loops of the sum, so many elements on in a step. */
  #on({ block, loops }: Scope, by: number): Scope {
    const last = this.#lastSummed;
    return { block, loops: by === 0 ? loops : new Map(loops).set(last, block.let(`${loops.get(last)} + ${by}u`)) };
  }

  /** Text of what is read of an operand: of one element, or of four neighbours. What all steps have in common is read once. */
  #value(factor: Factor, scopes: readonly Scope[], common?: Common): string {
    const isX = factor === this.product.x;
    const vector = isX ? this.#lastSummed : this.#vector;
    const writer = new ExpressionWriter(this.opening.bindings, scopes, { vector, ...(common && { common }) });
    return writer.value(factor.value, isX && this.#reach === 1 ? 1 : 4);
  }

  /** Add the products of a step: of what was read of each row, `ours`, with what each column has there. */
  #multiply(block: Block, step: string, ours: readonly string[], columns: readonly (readonly Scope[])[]): void {
    const parts = this.#wide && this.#reach === 4 ? [".x", ".y", ".z", ".w"] : [""];
    const first = this.#at(block, step);
    const theirs = parts.map((_, k) => {
      const at = this.#on(first, k);
      const common = { apart: this.product.columns, known: new Map<Expression, string>() };
      return columns.map((scopes) => this.#value(this.product.y, [...scopes, at], common));
    });
    const times = (x: string, y: string) => (this.#single ? `dot(${x}, ${y})` : `${x} * ${y}`);
    // A sum of four products goes number by number: some drivers keep the numbers of a vector in memory in between.
    for (const [row, x] of ours.entries())
      for (const column of columns.keys())
        for (const number of parts) {
          const terms = parts.map((part, k) => times(`${x}${part}`, `${theirs[k]![column]!}${number}`));
          block.add(`${total(row, column)}${number} += ${terms.join(" + ")};`);
        }
  }

  /** Bring the parts of a sum together, in the lanes of the first. */
  #join(block: Block, sum: string): void {
    const stride = this.#along ? 1 : this.opening.target.lanes / this.#parts;
    joinParts(block, { parts: this.#parts, stride }, this.opening.target, {
      keep: [`scratch[lane] = bitcast<vec4u>(${this.#single ? `vec4f(${sum})` : sum});`],
      add: (other) => [`${sum} += bitcast<vec4f>(scratch[${other}])${this.#single ? ".x" : ""};`],
    });
  }

  #store(block: Block): void {
    const height = this.extent(this.product.rows);
    for (let column = 0; column < this.#columns; column++)
      block.nest(`if (${this.#parts > 1 ? "part == 0u && " : ""}column${column} < ${this.#end})`, (within) => {
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
    const reduced = this.#wide || this.#single ? sum : block.let(`dot(${sum}, vec4f(1))`);
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
