import type { LoopKernel, Product } from "@finegrain/codegen";
import { Block } from "../block.ts";
import { ExpressionWriter } from "../expression.ts";
import { loopEnd, type Opening, type RenderedKernel } from "../kernel.ts";
import { decode, storeResult } from "../loops.ts";
import type { TileSide, TilesPlan } from "./plan-tiles.ts";
import { ProductWriter } from "./product-writer.ts";

/** Lanes that stand beside each other in a tile, and below each other: what they read together is a line of the workgroup's memory. */
const [BESIDE, BELOW] = [8, 4];

/** Write a product as `planTiles` has planned it. */
export const writeTiles = (kernel: LoopKernel, product: Product, plan: TilesPlan, opening: Opening): RenderedKernel =>
  new TilesWriter(kernel, product, plan, opening).write();

class TilesWriter extends ProductWriter<TilesPlan> {
  write(): RenderedKernel {
    const { name } = this.opening;
    const { rows, columns, down, across, depth } = this.plan;
    const main = new Block().nest(`fn ${name}(first: u32, last: u32, lane: u32, zero: u32)`, (body) => {
      body.nest("for (var tile = first; tile < last; tile++)", (block) => {
        block.add(
          `let column0 = ${columns.tile}u * (tile % ${across}u);`,
          `let row0 = ${rows.tile}u * (tile / ${across}u % ${down}u);`,
          `let batch = tile / ${down * across}u;`,
        );
        this.#multiply(block);
        this.#store(block);
      });
    });
    const text = [this.#loader(rows), this.#loader(columns), this.#storing(), ...main.lines].join("\n");
    return {
      text,
      items: this.extent(this.product.batch) * down * across,
      each: 1,
      memory: { tile_x: depth * rows.stride, tile_y: depth * columns.stride },
    };
  }

  /** `fn NAME_x(batch, row, k) -> vec4f`: four neighbours of an operand at one summed iteration; 0 beyond the sum's end. */
  #loader({ letter, loops, extent }: TileSide): string {
    const { name, bindings } = this.opening;
    const { batch, summed } = this.product;
    const factor = this.product[letter];
    const vector = loops.at(-1)!;
    const four = this.all[vector]! % 4 === 0;
    return new Block()
      .nest(`fn ${name}_${letter}(batch: u32, first: u32, k: u32) -> vec4f`, (block) => {
        block.add(`if (k >= ${this.plan.length}u) { return vec4f(0); }`);
        const fixed = new Map([...decode(block, "batch", batch, this.all), ...decode(block, "k", summed, this.all)]);
        const at = (item: string) => new Map([...fixed, ...decode(block, item, loops, this.all)]);
        const value = (item: string, lanes: 1 | 4) =>
          new ExpressionWriter(bindings, [{ block, loops: at(item) }], { vector }).value(factor.value, lanes);
        // What lies beyond the end is computed, and not stored.
        const last = (by: number) => block.let(`min(first + ${by}u, ${extent - (four ? 4 : 1)}u)`);
        if (four) block.add(`return ${value(last(0), 4)};`);
        else block.add(`return vec4f(${[0, 1, 2, 3].map((k) => value(last(k), 1)).join(", ")});`);
      })
      .lines.join("\n");
  }

  /** Vectors of a part of an operand that each lane brings: where in a tile, and how deep. Neighbouring lanes read what lies side by side. */
  #brought({ tile, contiguous }: TileSide): { quad: string; depth: string }[] {
    const { lanes } = this.opening.target;
    const { depth } = this.plan;
    const quads = tile / 4;
    return Array.from({ length: (depth * quads) / lanes }, (_, k) => {
      const i = `(lane + ${k * lanes}u)`;
      return contiguous
        ? { quad: `${i} % ${quads}u`, depth: `${i} / ${quads}u` }
        : { quad: `${i} / ${depth}u`, depth: `${i} % ${depth}u` };
    });
  }

  /** What each lane brings of the part of an operand from `k` on. @returns its names. */
  #fetch(block: Block, side: TileSide, k: string): string[] {
    const { name } = this.opening;
    const start = side === this.plan.rows ? "row0" : "column0";
    return this.#brought(side).map(({ quad, depth }) =>
      block.let(`${name}_${side.letter}(batch, ${start} + 4u * (${quad}), ${k} + ${depth})`),
    );
  }

  #multiply(block: Block): void {
    const { target } = this.opening;
    const part = this.plan.depth;
    const sides = [this.plan.rows, this.plan.columns];
    const across = this.plan.side / BESIDE;
    block.add(
      `let own_column = lane % ${BESIDE}u + ${BESIDE}u * (lane / ${BESIDE * BELOW}u % ${across}u);`,
      `let own_row = lane / ${BESIDE}u % ${BELOW}u + ${BELOW}u * (lane / ${BESIDE * BELOW * across}u);`,
    );
    for (let r = 0; r < this.plan.rows.own; r++)
      for (let c = 0; c < this.plan.columns.own / 4; c++) block.add(`var sum_${r}_${c} = vec4f(0);`);
    // The next part is on its way while this one is multiplied.
    const next = sides.map((side) =>
      this.#fetch(block, side, "0u").map((value, i) => {
        block.add(`var next_${side.letter}${i} = ${value};`);
        return `next_${side.letter}${i}`;
      }),
    );
    block.nest(`for (var k = 0u; k < ${loopEnd(this.plan.length, target)}; k += ${part}u)`, (inner) => {
      for (const [s, side] of sides.entries())
        for (const [i, { quad, depth }] of this.#brought(side).entries())
          inner.add(`tile_${side.letter}[(${depth}) * ${side.stride}u + ${quad}] = ${this.plan.type}(${next[s]![i]});`);
      inner.add("workgroupBarrier();");
      for (const [s, side] of sides.entries())
        for (const [i, value] of this.#fetch(inner, side, `k + ${part}u`).entries())
          inner.add(`${next[s]![i]} = ${value};`);
      this.#steps(inner);
      inner.add("workgroupBarrier();");
    });
  }

  /** What is in the workgroup's memory, multiplied. */
  #steps(block: Block): void {
    const { target } = this.opening;
    const { depth, unrolled } = this.plan;
    if (!target.cpu) for (let d = 0; d < depth; d += unrolled) this.#step(block, `${d}u`, unrolled);
    else
      block.nest(`for (var d = 0u; d < ${loopEnd(depth, target)}; d += ${unrolled}u)`, (inner) =>
        this.#step(inner, "d", unrolled),
      );
  }

  /** So many summed iterations from `d` on. */
  #step(block: Block, d: string, count: number): void {
    const side = this.plan.side;
    const part = ({ letter, stride, own }: TileSide, place: string, depth: string) =>
      Array.from({ length: own / 4 }, (_, q) =>
        block.let(`tile_${letter}[${depth} * ${stride}u + ${place} + ${q * side}u]`),
      );
    const { rows, columns } = this.plan;
    const depths = Array.from({ length: count }, (_, k) => `(${d} + ${k}u)`);
    const x = depths.map((depth) => part(rows, "own_row", depth));
    const y = depths.map((depth) => part(columns, "own_column", depth));
    for (let r = 0; r < rows.own; r++)
      for (let c = 0; c < columns.own / 4; c++) {
        const terms = depths.map((_, k) => `${x[k]![r >> 2]}.${"xyzw"[r & 3]} * ${y[k]![c]}`);
        if (this.plan.type === "vec4h") block.add(`sum_${r}_${c} += vec4f(${terms.join(" + ")});`);
        else for (const term of terms) block.add(`sum_${r}_${c} += ${term};`);
      }
  }

  #store(block: Block): void {
    const { name } = this.opening;
    const { rows, columns } = this.plan;
    const side = this.plan.side;
    for (let r = 0; r < rows.own; r++)
      for (let c = 0; c < columns.own / 4; c++)
        block.add(
          `${name}_store(batch, row0 + 4u * (own_row + ${(r >> 2) * side}u) + ${r & 3}u, column0 + 4u * (own_column + ${c * side}u), sum_${r}_${c});`,
        );
  }

  /** `fn NAME_store(batch, row, column, sums)`: the epilogue of four neighbours in a row. */
  #storing(): string {
    const { name, bindings } = this.opening;
    const { batch } = this.product;
    const { rows, columns } = this.plan;
    const last = columns.loops.at(-1)!;
    // Four at once where they are neighbours in the result too.
    const four = last === this.kernel.extents.length - 1 && this.all[last]! % 4 === 0;
    return new Block()
      .nest(`fn ${name}_store(batch: u32, row: u32, column0: u32, sums: vec4f)`, (block) => {
        const { extent } = columns;
        block.add(`if (row >= ${rows.extent}u) { return; }`);
        const fixed = [...decode(block, "batch", batch, this.all), ...decode(block, "row", rows.loops, this.all)];
        const store = (inner: Block, column: string, reduced: string) => {
          const loops = new Map([...fixed, ...decode(inner, column, columns.loops, this.all)]);
          storeResult(this.kernel, { block: inner, loops, bindings, reduced, four });
        };
        if (four) {
          block.add(`if (column0 >= ${extent}u) { return; }`);
          store(block, "column0", "sums");
        } else
          block.nest(`for (var lane = 0u; lane < 4u && column0 + lane < ${extent}u; lane++)`, (inner) => {
            inner.add("let column = column0 + lane;");
            store(inner, "column", "sums[lane]");
          });
      })
      .lines.join("\n");
  }
}
