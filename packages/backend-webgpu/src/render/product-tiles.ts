import { asProduct, type LoopKernel, type Product } from "@finegrain/codegen";
import { size } from "@finegrain/graph";
import { Block } from "./block.ts";
import { ExpressionWriter, isAligned } from "./expression.ts";
import { loopEnd, type Opening, type RenderedKernel, tileType } from "./kernel.ts";
import { decode, storeResult } from "./loops.ts";
import { ProductWriter } from "./product-writer.ts";

/** Products with fewer rows or columns are sums of their own. */
const FEW = 8;
/** Summed iterations whose operands are in the workgroup's memory at once. */
const DEPTH = 16;
/** Summed iterations that are written one after the other; where tiles are float16, as many are summed so before float32 takes over. */
const UNROLLED = { vec4f: 2, vec4h: 4 };

/** The kernel as a product of matrices that is worth tiles, if it is one. */
export function asTiles(kernel: LoopKernel): Product | undefined {
  const product = asProduct(kernel);
  if (!product || !kernel.reduction) return undefined;
  const { extents, reduction } = kernel;
  const all = [...extents, ...reduction.extents];
  const extent = (loops: readonly number[]) => size(loops.map((loop) => all[loop]!));
  return extent(product.rows) >= FEW && extent(product.columns) >= FEW && extent(product.summed) >= FEW
    ? product
    : undefined;
}

/**
 * A product of matrices: a workgroup computes a tile of it, every lane a square of registers, from parts of both operands in the workgroup's
 * memory, where four neighbours of a row or column are one vector.
 */
export const renderTiles = (kernel: LoopKernel, product: Product, opening: Opening): RenderedKernel =>
  new TilesWriter(kernel, product, opening).write();

/** One operand: its loops beside the summed ones, and how much of them a tile has. */
interface Side {
  readonly letter: "x" | "y";
  readonly loops: readonly number[];
  readonly extent: number;
  /** Elements of a lane, a multiple of four. */
  readonly own: number;
  /** Of a tile. */
  readonly tile: number;
}

class TilesWriter extends ProductWriter {
  readonly #rows: Side;
  readonly #columns: Side;
  readonly #depth: number;
  readonly #type: "vec4f" | "vec4h";

  constructor(kernel: LoopKernel, product: Product, opening: Opening) {
    super(kernel, product, opening);
    const { rows, columns, summed } = product;
    this.#depth = this.extent(summed);
    this.#type = tileType(opening.target);
    const side = Math.sqrt(opening.target.lanes);
    const make = (letter: "x" | "y", loops: readonly number[]): Side => {
      const extent = this.extent(loops);
      const own = extent >= 8 * side ? 8 : 4;
      return { letter, loops, extent, own, tile: own * side };
    };
    this.#rows = make("x", rows);
    this.#columns = make("y", columns);
  }

  write(): RenderedKernel {
    const { name } = this.opening;
    const [rows, columns] = [this.#rows, this.#columns];
    const tiles = [
      this.extent(this.product.batch),
      Math.ceil(rows.extent / rows.tile),
      Math.ceil(columns.extent / columns.tile),
    ];
    const main = new Block().nest(`fn ${name}(first: u32, last: u32, lane: u32, zero: u32)`, (body) => {
      body.nest("for (var tile = first; tile < last; tile++)", (block) => {
        block.add(
          `let column0 = ${columns.tile}u * (tile % ${tiles[2]}u);`,
          `let row0 = ${rows.tile}u * (tile / ${tiles[2]}u % ${tiles[1]}u);`,
          `let batch = tile / ${tiles[1]! * tiles[2]!}u;`,
        );
        this.#multiply(block);
        this.#store(block);
      });
    });
    const text = [this.#loader(rows), this.#loader(columns), this.#storing(), ...main.lines].join("\n");
    return {
      text,
      items: size(tiles),
      each: 1,
      memory: { tile_x: (DEPTH * rows.tile) / 4, tile_y: (DEPTH * columns.tile) / 4 },
    };
  }

  /** `fn NAME_x(batch, row, k) -> vec4f`: four neighbours of an operand at one summed iteration; 0 beyond the sum's end. */
  #loader({ letter, loops, extent }: Side): string {
    const { name, bindings } = this.opening;
    const { batch, summed } = this.product;
    const factor = this.product[letter];
    const vector = loops.at(-1)!;
    const four = this.all[vector]! % 4 === 0;
    return new Block()
      .nest(`fn ${name}_${letter}(batch: u32, first: u32, k: u32) -> vec4f`, (block) => {
        if (this.#depth % DEPTH !== 0) block.add(`if (k >= ${this.#depth}u) { return vec4f(0); }`);
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

  /** Lines that bring a part of an operand into the workgroup's memory. Neighbouring lanes read what lies side by side. */
  #fetch(block: Block, { letter, loops, tile }: Side, start: string): void {
    const { name, target } = this.opening;
    const quads = tile / 4;
    const contiguous = isAligned(this.product[letter].load, loops.at(-1)!);
    const [quad, depth] = contiguous ? [`i % ${quads}u`, `i / ${quads}u`] : [`i / ${DEPTH}u`, `i % ${DEPTH}u`];
    block.nest(`for (var i = lane; i < ${loopEnd(DEPTH * quads)}; i += ${target.lanes}u)`, (inner) => {
      inner.add(`let quad = ${quad};`, `let depth = ${depth};`);
      inner.add(
        `tile_${letter}[depth * ${quads}u + quad] = ${this.#type}(${name}_${letter}(batch, ${start} + 4u * quad, k + depth));`,
      );
    });
  }

  #multiply(block: Block): void {
    const { target } = this.opening;
    const [rows, columns] = [this.#rows, this.#columns];
    const side = Math.sqrt(target.lanes);
    block.add(`let own_row = lane / ${side}u;`, `let own_column = lane % ${side}u;`);
    for (let r = 0; r < rows.own; r++)
      for (let c = 0; c < columns.own / 4; c++) block.add(`var sum_${r}_${c} = vec4f(0);`);
    block.nest(`for (var k = 0u; k < ${loopEnd(this.#depth)}; k += ${DEPTH}u)`, (inner) => {
      this.#fetch(inner, rows, "row0");
      this.#fetch(inner, columns, "column0");
      inner.add("workgroupBarrier();");
      const unrolled = UNROLLED[this.#type];
      inner.nest(`for (var d = 0u; d < ${loopEnd(DEPTH)}; d += ${unrolled}u)`, (step) => this.#steps(step, unrolled));
      inner.add("workgroupBarrier();");
    });
  }

  /** So many summed iterations from `d` on. */
  #steps(block: Block, count: number): void {
    const side = Math.sqrt(this.opening.target.lanes);
    const part = ({ letter, tile, own }: Side, place: string, depth: string) =>
      Array.from({ length: own / 4 }, (_, q) =>
        block.let(`tile_${letter}[${depth} * ${tile / 4}u + ${place} + ${q * side}u]`),
      );
    const [rows, columns] = [this.#rows, this.#columns];
    const depths = Array.from({ length: count }, (_, k) => `(d + ${k}u)`);
    const x = depths.map((depth) => part(rows, "own_row", depth));
    const y = depths.map((depth) => part(columns, "own_column", depth));
    for (let r = 0; r < rows.own; r++)
      for (let c = 0; c < columns.own / 4; c++) {
        const terms = depths.map((_, k) => `${x[k]![r >> 2]}.${"xyzw"[r & 3]} * ${y[k]![c]}`);
        if (this.#type === "vec4h") block.add(`sum_${r}_${c} += vec4f(${terms.join(" + ")});`);
        else for (const term of terms) block.add(`sum_${r}_${c} += ${term};`);
      }
  }

  #store(block: Block): void {
    const { name, target } = this.opening;
    const [rows, columns] = [this.#rows, this.#columns];
    const side = Math.sqrt(target.lanes);
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
    const [rows, columns] = [this.#rows, this.#columns];
    return new Block()
      .nest(`fn ${name}_store(batch: u32, row: u32, column0: u32, sums: vec4f)`, (block) => {
        const { extent } = columns;
        block.add(`if (row >= ${rows.extent}u) { return; }`);
        const fixed = [...decode(block, "batch", batch, this.all), ...decode(block, "row", rows.loops, this.all)];
        block.nest(`for (var lane = 0u; lane < 4u && column0 + lane < ${extent}u; lane++)`, (inner) => {
          inner.add("let column = column0 + lane;");
          const loops = new Map([...fixed, ...decode(inner, "column", columns.loops, this.all)]);
          storeResult(this.kernel, { block: inner, loops, bindings, reduced: "sums[lane]" });
        });
      })
      .lines.join("\n");
  }
}
