import { asProduct, type LoopKernel, type Product } from "@finegrain/codegen";
import { size } from "@finegrain/graph";
import { Block } from "./block.ts";
import { ExpressionWriter, isAligned } from "./expression.ts";
import { loopEnd, type Opening, type RenderedKernel, tileType } from "./kernel.ts";
import { decode, storeResult } from "./loops.ts";
import { ProductWriter } from "./product-writer.ts";
import type { Target } from "./target.ts";

/** Products with fewer rows or columns are sums of their own. */
const FEW = 8;
/** Summed iterations whose operands are in the workgroup's memory at once. */
const DEPTH = 16;
/** Of which so many are written one after the other for a CPU: float16 ones are summed so before float32 takes over. A GPU has them all so. */
const UNROLLED = { vec4f: 2, vec4h: 4 };
/** Elements of a lane along a side of its square of registers: at most, and where a tile is as small as it gets. */
const [OWN, LEAST_OWN] = [8, 4];
/** Lanes of a workgroup: where there are tiles enough for the whole of a GPU, and where not. The square roots are the sides of a tile in lanes. */
const [LARGE, SMALL] = [256, 64];
/** So many tiles keep a GPU busy, and it does fewer than so many of the smallest in less time as sums that lanes share. */
const [MANY_TILES, FEW_TILES] = [128, 16];
/** Lanes that stand beside each other in a tile, and below each other: what they read together is a line of the workgroup's memory. */
const [BESIDE, BELOW] = [8, 4];
/** Vectors between the end of one summed iteration and the next in the workgroup's memory, so that they do not share its banks. */
const PADDING = 1;

/** The kernel as a product of matrices that is worth tiles, if it is one. */
export function asTiles(kernel: LoopKernel, { cpu }: Target): Product | undefined {
  const product = asProduct(kernel);
  if (!product || !kernel.reduction) return undefined;
  const extent = extentsOf(kernel);
  const least = Math.min(extent(product.rows), extent(product.columns), extent(product.summed));
  if (least < FEW) return undefined;
  return cpu || tilesOf(kernel, product, LEAST_OWN * Math.sqrt(SMALL)) >= FEW_TILES ? product : undefined;
}

/** Lanes of the workgroups that do these products side by side. */
export function lanesOfTiles(kernels: readonly LoopKernel[], target: Target): number {
  const side = OWN * Math.sqrt(LARGE);
  const large = ({ kernel, product }: { kernel: LoopKernel; product: Product }) =>
    tilesOf(kernel, product, side) >= MANY_TILES;
  const bytes = 2 * DEPTH * (side / 4 + PADDING) * (target.half ? 8 : 16);
  const products = kernels.map((kernel) => ({ kernel, product: asTiles(kernel, target)! })); // asked by the caller
  return !target.cpu && bytes <= target.workgroupBytes && products.every(large) ? LARGE : SMALL;
}

const extentsOf = ({ extents, reduction }: LoopKernel) => {
  const all = [...extents, ...(reduction?.extents ?? [])];
  return (loops: readonly number[]) => size(loops.map((loop) => all[loop]!));
};

/** Tiles of a product that have so many rows and columns. */
function tilesOf(kernel: LoopKernel, { batch, rows, columns }: Product, side: number): number {
  const extent = extentsOf(kernel);
  return extent(batch) * Math.ceil(extent(rows) / side) * Math.ceil(extent(columns) / side);
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
  /** Vectors between one summed iteration and the next in the workgroup's memory. */
  readonly stride: number;
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
    const side = this.#side;
    // Larger tiles read less, and smaller ones are more, for a GPU to be busy with.
    const enough = opening.target.cpu || tilesOf(kernel, product, OWN * side) >= MANY_TILES / 2;
    const make = (letter: "x" | "y", loops: readonly number[]): Side => {
      const extent = this.extent(loops);
      const own = enough && extent >= OWN * side ? OWN : LEAST_OWN;
      const tile = own * side;
      return { letter, loops, extent, own, tile, stride: tile / 4 + PADDING };
    };
    this.#rows = make("x", rows);
    this.#columns = make("y", columns);
  }

  /** Lanes along a side of a tile. */
  get #side(): number {
    return Math.sqrt(this.opening.target.lanes);
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
      memory: { tile_x: DEPTH * rows.stride, tile_y: DEPTH * columns.stride },
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
        block.add(`if (k >= ${this.#depth}u) { return vec4f(0); }`);
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
  #brought({ letter, loops, tile }: Side): { quad: string; depth: string }[] {
    const { lanes } = this.opening.target;
    const quads = tile / 4;
    const contiguous = isAligned(this.product[letter].load, loops.at(-1)!);
    return Array.from({ length: (DEPTH * quads) / lanes }, (_, k) => {
      const i = `(lane + ${k * lanes}u)`;
      return contiguous
        ? { quad: `${i} % ${quads}u`, depth: `${i} / ${quads}u` }
        : { quad: `${i} / ${DEPTH}u`, depth: `${i} % ${DEPTH}u` };
    });
  }

  /** What each lane brings of the part of an operand from `k` on. @returns its names. */
  #fetch(block: Block, side: Side, k: string): string[] {
    const { name } = this.opening;
    const start = side === this.#rows ? "row0" : "column0";
    return this.#brought(side).map(({ quad, depth }) =>
      block.let(`${name}_${side.letter}(batch, ${start} + 4u * (${quad}), ${k} + ${depth})`),
    );
  }

  #multiply(block: Block): void {
    const { target } = this.opening;
    const sides = [this.#rows, this.#columns];
    const across = this.#side / BESIDE;
    block.add(
      `let own_column = lane % ${BESIDE}u + ${BESIDE}u * (lane / ${BESIDE * BELOW}u % ${across}u);`,
      `let own_row = lane / ${BESIDE}u % ${BELOW}u + ${BELOW}u * (lane / ${BESIDE * BELOW * across}u);`,
    );
    for (let r = 0; r < this.#rows.own; r++)
      for (let c = 0; c < this.#columns.own / 4; c++) block.add(`var sum_${r}_${c} = vec4f(0);`);
    // The next part is on its way while this one is multiplied.
    const next = sides.map((side) =>
      this.#fetch(block, side, "0u").map((value, i) => {
        block.add(`var next_${side.letter}${i} = ${value};`);
        return `next_${side.letter}${i}`;
      }),
    );
    block.nest(`for (var k = 0u; k < ${loopEnd(this.#depth, target)}; k += ${DEPTH}u)`, (inner) => {
      for (const [s, side] of sides.entries())
        for (const [i, { quad, depth }] of this.#brought(side).entries())
          inner.add(`tile_${side.letter}[(${depth}) * ${side.stride}u + ${quad}] = ${this.#type}(${next[s]![i]});`);
      inner.add("workgroupBarrier();");
      for (const [s, side] of sides.entries())
        for (const [i, value] of this.#fetch(inner, side, `k + ${DEPTH}u`).entries())
          inner.add(`${next[s]![i]} = ${value};`);
      this.#steps(inner);
      inner.add("workgroupBarrier();");
    });
  }

  /** What is in the workgroup's memory, multiplied. */
  #steps(block: Block): void {
    const { target } = this.opening;
    const unrolled = UNROLLED[this.#type];
    if (!target.cpu) for (let d = 0; d < DEPTH; d += unrolled) this.#step(block, `${d}u`, unrolled);
    else
      block.nest(`for (var d = 0u; d < ${loopEnd(DEPTH, target)}; d += ${unrolled}u)`, (inner) =>
        this.#step(inner, "d", unrolled),
      );
  }

  /** So many summed iterations from `d` on. */
  #step(block: Block, d: string, count: number): void {
    const side = this.#side;
    const part = ({ letter, stride, own }: Side, place: string, depth: string) =>
      Array.from({ length: own / 4 }, (_, q) =>
        block.let(`tile_${letter}[${depth} * ${stride}u + ${place} + ${q * side}u]`),
      );
    const [rows, columns] = [this.#rows, this.#columns];
    const depths = Array.from({ length: count }, (_, k) => `(${d} + ${k}u)`);
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
    const { name } = this.opening;
    const [rows, columns] = [this.#rows, this.#columns];
    const side = this.#side;
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
