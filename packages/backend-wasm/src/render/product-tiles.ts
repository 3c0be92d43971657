import { BYTES, type Load, type LoopKernel, type Reduction } from "@finegrain/codegen";
import { size } from "@finegrain/graph";
import type { Local } from "../assembler/code.ts";
import type { Opening, Target } from "./kernel.ts";
import { ReducingRenderer, type Work } from "./loop-renderer.ts";
import { packPanels } from "./pack.ts";
import type { Product } from "./product.ts";

/** The tile of the result that is kept in registers: 12 of the 16 vectors that x64 has. */
const TILE = { rows: 6, columns: 8 };
/** Packed operands that stay in the second level of cache: a block of rows, and the columns that pass by it. */
const BLOCK_BYTES = { rows: 256 * 1024, columns: 512 * 1024 };

/**
 * A product of matrices in tiles. Both operands are copied into panels, in the order in which the innermost loop reads them: Goto and
 * van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (2008). A thread has columns of its own.
 */
export class TileProductRenderer extends ReducingRenderer {
  readonly #product: Product;
  readonly #target: Target;
  readonly #row: number;
  readonly #column: number;
  /** Extents of the product. */
  readonly #m: number;
  readonly #n: number;
  readonly #k: number;
  /** Rows and columns of a block. */
  readonly #rows: number;
  readonly #columns: number;

  constructor(
    kernel: LoopKernel,
    reduction: Reduction,
    opening: Opening,
    { product, target }: { product: Product; target: Target },
  ) {
    super(kernel, reduction, opening);
    this.#product = product;
    this.#target = target;
    this.#row = product.rows[0]!;
    this.#column = product.columns[0]!;
    this.#m = kernel.extents[this.#row]!;
    this.#n = kernel.extents[this.#column]!;
    this.#k = reduction.extents[0]!;
    this.#rows = blockOf(this.#m, TILE.rows, BLOCK_BYTES.rows / BYTES / this.#k);
    this.#columns = blockOf(this.#n, TILE.columns, BLOCK_BYTES.columns / BYTES / this.#k);
  }

  render(): Work {
    const { kernel, code, opening } = this;
    const { batch } = this.#product;
    const scratch = BYTES * ((this.#rows + this.#columns) * this.#k + TILE.rows * TILE.columns);
    const outer = batch.map((loop) => ({ loop, extent: kernel.extents[loop]! }));
    const times = size(outer.map(({ extent }) => extent));
    const [first, end] = [code.local("pointer"), code.local("pointer")];
    if (times >= 2 * this.#target.threads) {
      this.forUnitsOf(outer, () => {
        code.address(0).set(first).address(this.#n).set(end);
        this.#all(first, end);
      });
      return { units: times, grain: 1, work: this.work, scratch };
    }
    code.get(opening.begin).address(TILE.columns).pointerOp("mul").set(first);
    code.get(opening.end).address(TILE.columns).pointerOp("mul").set(end);
    this.#atMost(end, () => code.address(this.#n));
    this.#nestBatch(batch, () => this.#all(first, end));
    return { units: Math.ceil(this.#n / TILE.columns), grain: 1, work: this.work, scratch };
  }

  #nestBatch(loops: readonly number[], body: () => void): void {
    const [loop, ...rest] = loops;
    if (loop === undefined) {
      body();
      return;
    }
    const at = this.code.local("pointer");
    this.frame.coordinates.set(loop, at);
    this.code.count(at, { to: () => this.code.address(this.kernel.extents[loop]!) }, () => this.#nestBatch(rest, body));
  }

  /** All rows of the columns from `first` to before `end`. */
  #all(first: Local, end: Local): void {
    const { code, opening } = this;
    const { x, y, summed } = this.#product;
    const [column, row, columns, rows] = [1, 2, 3, 4].map(() => code.local("pointer")) as [Local, Local, Local, Local];
    const packedY = code.local("pointer");
    code
      .get(opening.scratch)
      .address(BYTES * this.#rows * this.#k)
      .pointerOp("add")
      .set(packedY);
    const xFrom = this.#base(x);
    const yFrom = this.#base(y);
    const [xStrides, yStrides] = [
      { panel: x.at.strides[this.#row]!, step: x.at.strides[summed]! },
      { panel: y.at.strides[this.#column]!, step: y.at.strides[summed]! },
    ];
    code.count(column, { from: () => code.get(first), to: () => code.get(end), step: this.#columns }, () => {
      code.get(column).address(this.#columns).pointerOp("add").set(columns);
      this.#atMost(columns, () => code.get(end));
      packPanels(code, {
        from: yFrom,
        begin: column,
        end: columns,
        to: packedY,
        width: TILE.columns,
        length: this.#k,
        ...yStrides,
      });
      code.count(row, { to: () => code.address(this.#m), step: this.#rows }, () => {
        code.get(row).address(this.#rows).pointerOp("add").set(rows);
        this.#atMost(rows, () => code.address(this.#m));
        packPanels(code, {
          from: xFrom,
          begin: row,
          end: rows,
          to: opening.scratch,
          width: TILE.rows,
          length: this.#k,
          ...xStrides,
        });
        this.#tiles({ row, rows, column, columns, packedY });
      });
    });
  }

  /** Of an operand, the element of the batch that stands at the start of the other loops. */
  #base({ from, at }: Load): Local {
    const { code, frame } = this;
    const base = code.local("pointer");
    code
      .get(frame.pointers.get(from)!)
      .address(BYTES * at.offset)
      .pointerOp("add");
    for (const loop of this.#product.batch)
      if (at.strides[loop] !== 0)
        code
          .get(frame.coordinates.get(loop)!)
          .address(BYTES * at.strides[loop]!)
          .pointerOp("mul")
          .pointerOp("add");
    code.set(base);
    return base;
  }

  #tiles({
    row,
    rows,
    column,
    columns,
    packedY,
  }: Record<"row" | "rows" | "column" | "columns" | "packedY", Local>): void {
    const { code, opening, frame } = this;
    const [m, n, x, y] = [1, 2, 3, 4].map(() => code.local("pointer")) as [Local, Local, Local, Local];
    frame.coordinates.set(this.#row, m).set(this.#column, n);
    code.get(packedY).set(y);
    code.count(n, { from: () => code.get(column), to: () => code.get(columns), step: TILE.columns }, () => {
      code.get(opening.scratch).set(x);
      code.count(m, { from: () => code.get(row), to: () => code.get(rows), step: TILE.rows }, () =>
        this.#tile(m, n, x, y),
      );
      code
        .get(y)
        .address(BYTES * TILE.columns * this.#k)
        .pointerOp("add")
        .set(y);
    });
    frame.coordinates.delete(this.#row);
    frame.coordinates.delete(this.#column);
  }

  /** One tile at rows m and columns n. `x` moves on behind its panel, `y` stays. */
  #tile(m: Local, n: Local, x: Local, y: Local): void {
    const { code } = this;
    const tile = Array.from({ length: TILE.rows }, () => [code.local("v128"), code.local("v128")] as const);
    for (const local of tile.flat()) code.splat(0, "f32").set(local);
    this.#multiply(tile, x, y);
    const whole = (at: Local, step: number, extent: number) => {
      if (extent % step === 0) code.i32(1);
      else code.address(extent).get(at).pointerOp("sub").address(step).pointerOp("ge_u");
    };
    whole(m, TILE.rows, this.#m);
    whole(n, TILE.columns, this.#n);
    code.do("i32.and").if(
      () => this.#finishWhole(tile, m),
      () => this.#finishPart(tile, m, n),
    );
  }

  /** The products of two panels. */
  #multiply(tile: readonly (readonly [Local, Local])[], x: Local, y: Local): void {
    const { code } = this;
    const [at, left] = [code.local("pointer"), code.local("pointer")];
    const [low, high, factor] = [1, 2, 3].map(() => code.local("v128")) as [Local, Local, Local];
    const unroll = [4, 2, 1].find((n) => this.#k % n === 0)!;
    code.get(y).set(at);
    code.count(left, { to: () => code.address(this.#k), step: unroll }, () => {
      for (let k = 0; k < unroll; k++) {
        code
          .get(at)
          .vectorAccess("v128.load", BYTES * TILE.columns * k)
          .set(low);
        code
          .get(at)
          .vectorAccess("v128.load", BYTES * (TILE.columns * k + 4))
          .set(high);
        tile.forEach(([left4, right4], row) => {
          code
            .get(x)
            .vectorAccess("v128.load32_splat", BYTES * (TILE.rows * k + row))
            .set(factor);
          this.#multiplyAdd(factor, low, left4);
          this.#multiplyAdd(factor, high, right4);
        });
      }
      code
        .get(at)
        .address(BYTES * TILE.columns * unroll)
        .pointerOp("add")
        .set(at);
      code
        .get(x)
        .address(BYTES * TILE.rows * unroll)
        .pointerOp("add")
        .set(x);
    });
  }

  #multiplyAdd(factor: Local, vector: Local, sum: Local): void {
    const { code } = this;
    if (this.#target.relaxed) code.get(factor).get(vector).get(sum).vector("f32x4.relaxed_madd");
    else code.get(factor).get(vector).vector("f32x4.mul").get(sum).vector("f32x4.add");
    code.set(sum);
  }

  #finishWhole(tile: readonly (readonly [Local, Local])[], m: Local): void {
    const { code, frame } = this;
    const at = code.local("pointer");
    frame.coordinates.set(this.#row, at);
    tile.forEach((vectors, row) => {
      code.get(m).address(row).pointerOp("add").set(at);
      this.finish(vectors, this.#column, 4);
    });
    frame.coordinates.set(this.#row, m);
  }

  /** At an edge: by way of memory, element by element. */
  #finishPart(tile: readonly (readonly [Local, Local])[], m: Local, n: Local): void {
    const { code, frame, opening } = this;
    const offset = BYTES * (this.#rows + this.#columns) * this.#k;
    tile.flat().forEach((local, i) => {
      code
        .get(opening.scratch)
        .get(local)
        .vectorAccess("v128.store", offset + 16 * i);
    });
    const [row, column, rowEnd, columnEnd, from] = [1, 2, 3, 4, 5].map(() => code.local("pointer")) as [
      Local,
      Local,
      Local,
      Local,
      Local,
    ];
    const value = code.local("v128");
    code
      .get(m)
      .address(TILE.rows)
      .pointerOp("add")
      .set(rowEnd)
      .get(n)
      .address(TILE.columns)
      .pointerOp("add")
      .set(columnEnd);
    this.#atMost(rowEnd, () => code.address(this.#m));
    this.#atMost(columnEnd, () => code.address(this.#n));
    frame.coordinates.set(this.#row, row).set(this.#column, column);
    code.count(row, { from: () => code.get(m), to: () => code.get(rowEnd) }, () => {
      code
        .get(opening.scratch)
        .get(row)
        .get(m)
        .pointerOp("sub")
        .address(BYTES * TILE.columns)
        .pointerOp("mul")
        .pointerOp("add")
        .set(from);
      code.count(column, { from: () => code.get(n), to: () => code.get(columnEnd) }, () => {
        code.get(from).vectorAccess("v128.load32_splat", offset).set(value);
        this.finish([value], undefined, 1);
        code.get(from).address(BYTES).pointerOp("add").set(from);
      });
    });
    frame.coordinates.set(this.#row, m).set(this.#column, n);
  }

  /** local = min(local, most), where `most` pushes a value. */
  #atMost(local: Local, most: () => void): void {
    const { code } = this;
    code.get(local);
    most();
    code.get(local);
    most();
    code.pointerOp("lt_u").do("select").set(local);
  }
}

/** The extent of a block: a multiple of the tile's, not more than the matrix has, within a number of elements. */
const blockOf = (extent: number, tile: number, elements: number): number =>
  Math.min(Math.ceil(extent / tile) * tile, Math.max(tile, Math.floor(elements / tile) * tile));
