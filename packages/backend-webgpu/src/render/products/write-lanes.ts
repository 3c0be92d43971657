import type { Expression, Factor, LoopKernel, Product } from "@finegrain/codegen";
import { Block } from "../block.ts";
import { type Common, ExpressionWriter, type Scope, unsigned } from "../expression.ts";
import { joinParts } from "../join-parts.ts";
import { loopEnd, type Opening, type RenderedKernel } from "../kernel.ts";
import { decode, storeResult } from "../loops.ts";
import type { LanesPlan } from "./plan-lanes.ts";
import { ProductWriter } from "./product-writer.ts";
import { sumEnd } from "./sum-end.ts";

/** Write a product as `planLanes` has planned it. */
export const writeLanes = (kernel: LoopKernel, product: Product, plan: LanesPlan, opening: Opening): RenderedKernel =>
  new LanesWriter(kernel, product, plan, opening).write();

class LanesWriter extends ProductWriter<LanesPlan> {
  write(): RenderedKernel {
    const { name, target, row } = this.opening;
    const { batch, rows } = this.product;
    const beside = target.lanes / this.plan.parts;
    const across = beside * this.plan.columns * (this.plan.wide ? 4 : 1);
    const blocks = Math.ceil(this.#width / across);
    const rowBlocks = Math.ceil(this.extent(rows) / this.plan.rows);
    const items = this.extent(batch) * rowBlocks * blocks;
    const step = row === undefined ? 1 : across;
    const body = new Block().nest(`fn ${name}(first: u32, last: u32, lane: u32, zero: u32)`, (outer) => {
      outer.nest(`for (var item = first; item < last; item += ${step}u)`, (block) => {
        // What all lanes share comes from the item, what each has from its lane.
        block.add(
          ...(row === undefined
            ? [
                `let base = ${across}u * (item % ${blocks}u);`,
                `let row0 = ${this.plan.rows}u * (item / ${blocks}u % ${rowBlocks}u);`,
                `let batch = item / ${blocks * rowBlocks}u;`,
              ]
            : [`let base = item % ${this.#width}u;`, `let batch = item / ${this.#width}u;`]),
        );
        this.#place(block, beside);
        this.#sum(block);
        this.#store(block);
      });
    });
    const memory = this.plan.parts > 1 ? { scratch: target.lanes } : {};
    return {
      text: body.lines.join("\n"),
      items: row === undefined ? items : this.extent(batch) * this.#width,
      each: 1,
      memory,
    };
  }

  /** The columns, the last ones for those beyond the end, and the part of their sums that a lane has. */
  #place(block: Block, beside: number): void {
    const width = this.plan.wide ? 4 : 1;
    const [own, part] = this.plan.along
      ? [`lane / ${this.plan.parts}u`, `lane % ${this.plan.parts}u`]
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
    return Array.from({ length: this.plan.columns }, (_, column) => of(column)).flat();
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
    return block.let(extent % this.plan.rows === 0 ? at : `min(${at}, ${extent - 1}u)`);
  }

  get #lastSummed(): number {
    return this.product.summed.at(-1)!; // a plan has one
  }

  /** The numbers of a lane's rows. */
  get #ownRows(): number[] {
    return Array.from({ length: this.plan.rows }, (_, row) => row);
  }

  #sum(block: Block): void {
    const rows = this.#ownRows;
    const columns = this.#each((column) => [[{ block, loops: this.#loops(block, { column }) }]]);
    const zero = this.plan.single ? "f32(0)" : "vec4f(0)";
    for (const row of rows) block.add(...this.#each((column) => [`var ${total(row, column)} = ${zero};`]));
    const { target } = this.opening;
    const beside = Math.min(target.lanes, this.plan.rows);
    const shared = Array.from({ length: this.plan.rows / beside }, (_, k) => `${k * beside}u + lane % ${beside}u`);
    const read = (this.plan.shared ? shared : rows).map((row) => [{ block, loops: this.#loops(block, { row }) }]);
    const around = this.product.summed.filter((loop) => !this.plan.stepped.includes(loop));
    if (around.length === 0) this.#accumulate(block, read, columns);
    else
      block.nest(`for (var turn = 0u; turn < ${loopEnd(this.extent(around), target)}; turn++)`, (inner) => {
        const turn = { block: inner, loops: decode(inner, "turn", around, this.all) };
        const within = (scopes: readonly Scope[]) => [...scopes, turn];
        this.#accumulate(inner, read.map(within), columns.map(within));
      });
    if (this.plan.parts === 1) return;
    for (const row of rows) for (const column of columns.keys()) this.#join(block, total(row, column));
  }

  /** Go along the sum. @param read the scopes of what a lane reads of `x`; @param columns of what it reads of `y`. */
  #accumulate(block: Block, read: readonly (readonly Scope[])[], columns: readonly (readonly Scope[])[]): void {
    const { target } = this.opening;
    const { lanes } = target;
    const steps = this.extent(this.plan.stepped) / this.plan.reach;
    const { unrolled, together } = this.plan;
    const start = this.plan.parts === 1 ? "0u" : "part";
    const each = this.plan.parts * together * unrolled;
    const way = { block, bindings: this.opening.bindings, end: loopEnd(steps, target), reach: this.plan.reach };
    const end = sumEnd(this.kernel, this.product, way);
    block.nest(`for (var step = ${start}; step < ${end}; step += ${each}u)`, (inner) => {
      const valuesAt = (step: string) =>
        read.map((scopes) => this.#value(this.product.x, [...scopes, this.#at(inner, step)]));
      if (!this.plan.shared) {
        for (let k = 0; k < unrolled; k++) {
          const step = unrolled === 1 ? "step" : inner.let(`step + ${k * this.plan.parts}u`);
          this.#multiply(inner, step, valuesAt(step), columns);
        }
        return;
      }
      const values = valuesAt(together === 1 ? "step" : inner.let(`step + lane / ${this.plan.rows}u`));
      const rows = this.#ownRows;
      if (together === 1) {
        const from = (row: number) => `subgroupBroadcast(${values[Math.floor(row / lanes)]}, ${row % lanes}u)`;
        const ours = rows.map((row) => inner.let(from(row)));
        this.#multiply(inner, "step", ours, columns);
        return;
      }
      inner.nest(`for (var k = 0u; k < ${loopEnd(together, target)}; k++)`, (one) => {
        const ours = rows.map((row) => one.let(`subgroupShuffle(${values[0]}, k * ${this.plan.rows}u + ${row}u)`));
        this.#multiply(one, one.let("step + k"), ours, columns);
      });
    });
  }

  /** The loops of the sum at the first element of a step. */
  #at(block: Block, step: string): Scope {
    const element = this.plan.reach === 1 ? step : block.fours(step);
    return { block, loops: decode(block, element, this.plan.stepped, this.all) };
  }

  /** The loops of the sum, so many elements on in a step. */
  #on({ block, loops }: Scope, by: number): Scope {
    const last = this.#lastSummed;
    return { block, loops: by === 0 ? loops : new Map(loops).set(last, block.let(`${loops.get(last)} + ${by}u`)) };
  }

  /** Text of what is read of an operand: of one element, or of four neighbours. What all steps have in common is read once. */
  #value(factor: Factor, scopes: readonly Scope[], common?: Common): string {
    const isX = factor === this.product.x;
    const vector = isX ? this.#lastSummed : this.plan.vector;
    const writer = new ExpressionWriter(this.opening.bindings, scopes, { vector, ...(common && { common }) });
    return writer.value(factor.value, isX && this.plan.reach === 1 ? 1 : 4);
  }

  /** Add the products of a step: of what was read of each row, `ours`, with what each column has there. */
  #multiply(block: Block, step: string, ours: readonly string[], columns: readonly (readonly Scope[])[]): void {
    const parts = this.plan.wide && this.plan.reach === 4 ? [".x", ".y", ".z", ".w"] : [""];
    const first = this.#at(block, step);
    const theirs = parts.map((_, k) => {
      const at = this.#on(first, k);
      const common = { apart: this.product.columns, known: new Map<Expression, string>() };
      return columns.map((scopes) => this.#value(this.product.y, [...scopes, at], common));
    });
    const times = (x: string, y: string) => (this.plan.single ? `dot(${x}, ${y})` : `${x} * ${y}`);
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
    const stride = this.plan.along ? 1 : this.opening.target.lanes / this.plan.parts;
    joinParts(block, { parts: this.plan.parts, stride }, this.opening.target, {
      keep: [`scratch[lane] = bitcast<vec4u>(${this.plan.single ? `vec4f(${sum})` : sum});`],
      add: (other) => [`${sum} += bitcast<vec4f>(scratch[${other}])${this.plan.single ? ".x" : ""};`],
    });
  }

  #store(block: Block): void {
    const height = this.extent(this.product.rows);
    for (let column = 0; column < this.plan.columns; column++)
      block.nest(`if (${this.plan.parts > 1 ? "part == 0u && " : ""}column${column} < ${this.#end})`, (within) => {
        for (let row = 0; row < this.plan.rows; row++)
          if (height % this.plan.rows === 0) this.#storeSum(within, row, column);
          else within.nest(`if (row0 + ${row}u < ${height}u)`, (inner) => this.#storeSum(inner, row, column));
      });
  }

  #storeSum(block: Block, row: number, column: number): void {
    const { bindings } = this.opening;
    const sum = total(row, column);
    if (this.plan.wide && this.plan.vector !== this.kernel.extents.length - 1) {
      this.#storeApart(block, row, column);
      return;
    }
    const loops = this.#loops(block, { row, column });
    const reduced = this.plan.wide || this.plan.single ? sum : block.let(`dot(${sum}, vec4f(1))`);
    storeResult(this.kernel, { block, loops, bindings, reduced, four: this.plan.wide });
  }

  /** Four columns that are not neighbours of the innermost loop. */
  #storeApart(block: Block, row: number, column: number): void {
    const { bindings } = this.opening;
    for (let lane = 0; lane < 4; lane++) {
      const loops = this.#loops(block, { row, column });
      loops.set(this.plan.vector, block.let(`${loops.get(this.plan.vector)} + ${lane}u`));
      storeResult(this.kernel, { block, loops, bindings, reduced: `${total(row, column)}.${"xyzw"[lane]}` });
    }
  }
}

const total = (row: number, column: number): string => `total${row}_${column}`;
