import type { Load, LoopKernel, Reduction } from "@finegrain/codegen";
import { size } from "@finegrain/graph";
import type { Local } from "../../assembler/code.ts";
import { type Opening, WORD } from "../kernel.ts";
import type { Division } from "../loops/loop-renderer.ts";
import { packPanels } from "./pack.ts";
import { type ProductOptions, ProductRenderer } from "./product-renderer.ts";

/**
 * The tile of the result that is kept in registers. Of x64's 16 vectors V8 keeps one for itself; a fused multiply-add leaves room for 12 sums,
 * a product of its own for 10, and so does a vector whose lanes are the factors (see `#factors`).
 */
const TILE = { rows: { fused: 6, separate: 5, inVectors: 5 }, columns: 8 };
/**
 * Packed operands that stay in the second level of cache: a block of rows, and the columns that pass by it. Rows may be
 * packed all at once where the third level holds them.
 */
const BLOCK_BYTES = { rows: 256 * 1024, columns: 512 * 1024, whole: 4 * 2 ** 20 };
/** For so few columns at a time, packing the rows again would cost more than what it saves. */
const FEW_COLUMNS = 64;
/** Fewer rows than this are read as they lie: they stay in the first level of cache. */
const WORTH_PACKING = 24;

/** How x lies where the tiles read it: `across` from a row to the next, `step` along the summed loop. y is always in panels. */
interface Layout {
  readonly packed: boolean;
  readonly across: number;
  readonly step: number;
}

type Tile = readonly (readonly [left: Local, right: Local])[];

/**
 * A product of matrices in tiles. Operands are copied into panels, in the order in which the innermost loop reads them, where that
 * pays: Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (2008). A thread has columns of its own.
 */
export class TileProductRenderer extends ProductRenderer {
  readonly #row: number;
  readonly #column: number;
  /** Extents of the product. */
  readonly #m: number;
  readonly #n: number;
  readonly #k: number;
  /** Rows of a tile. */
  readonly #tall: number;
  /** Rows and columns of a block. */
  readonly #rows: number;
  readonly #columns: number;
  readonly #x: Layout;

  constructor(kernel: LoopKernel, reduction: Reduction, opening: Opening, options: ProductOptions) {
    super(kernel, reduction, opening, options);
    const { product, target } = options;
    this.#row = product.rows[0]!;
    this.#column = product.columns[0]!;
    this.#m = kernel.extents[this.#row]!;
    this.#n = kernel.extents[this.#column]!;
    this.#k = reduction.extents[0]!;
    const packed = this.#m > WORTH_PACKING;
    const { fused, separate, inVectors } = TILE.rows;
    const tallest = target.wide && packed ? inVectors : target.relaxed ? fused : separate;
    this.#tall = Math.ceil(this.#m / Math.ceil(this.#m / tallest));
    this.#x = layout(product.x.load, this.#row, this.summed, packed ? this.#tall : 0);
    this.#columns = blockOf(this.#n, TILE.columns, BLOCK_BYTES.columns / WORD / this.#k);
    const again = WORD * this.#m * this.#k > BLOCK_BYTES.whole || this.#columns > FEW_COLUMNS;
    this.#rows = this.#x.packed && again ? blockOf(this.#m, this.#tall, BLOCK_BYTES.rows / WORD / this.#k) : this.#m;
  }

  render(): Division {
    const { kernel, code, opening } = this;
    const { batch } = this.product;
    const outer = batch.map((loop) => ({ loop, extent: kernel.extents[loop]! }));
    const times = size(outer.map(({ extent }) => extent));
    const [first, end] = [code.local("pointer"), code.local("pointer")];
    const scratch = this.#tileOffset + WORD * this.#tall * TILE.columns;
    if (times >= 2 * this.target.threads) {
      this.forUnitsOf(outer, () => {
        code.address(0).set(first).address(this.#n).set(end);
        this.#all(first, end);
      });
      return { units: times, grain: 1, rows: this.rowsOf(outer), scratch };
    }
    code.get(opening.begin).address(TILE.columns).pointerOp("mul").set(first);
    code.get(opening.end).address(TILE.columns).pointerOp("mul").set(end);
    this.#atMost(end, () => code.address(this.#n));
    this.nest(
      batch,
      outer.map(({ extent }) => extent),
      () => this.#all(first, end),
    );
    return { units: Math.ceil(this.#n / TILE.columns), grain: 1, rows: 1, scratch };
  }

  /** In the thread's own memory, the panels of x, those of y, and a tile. */
  get #yOffset(): number {
    return this.#x.packed ? WORD * Math.ceil(this.#rows / this.#tall) * this.#tall * this.#k : 0;
  }

  get #tileOffset(): number {
    return this.#yOffset + WORD * this.#columns * this.#k;
  }

  /** All rows of the columns from `first` to before `end`. */
  #all(first: Local, end: Local): void {
    const { code, opening } = this;
    const [x, y] = [this.product.x.load, this.product.y.load];
    const [column, row, columns, rows, yPanels] = this.#pointers(5) as [Local, Local, Local, Local, Local];
    const [xFrom, yFrom] = [this.#start(x), this.#start(y)];
    code.get(opening.scratch).address(this.#yOffset).pointerOp("add").set(yPanels);
    const packRows = () => {
      const panels = { from: xFrom, begin: row, end: rows, to: opening.scratch, width: this.#tall };
      if (this.#x.packed) this.#pack(x, this.#row, panels);
    };
    // One block of rows serves all columns; several take turns at each block of columns.
    const once = this.#rows >= this.#m;
    if (once) {
      code.address(0).set(row).address(this.#m).set(rows);
      packRows();
    }
    code.count(column, { from: () => code.get(first), to: () => code.get(end), step: this.#columns }, () => {
      code.get(column).address(this.#columns).pointerOp("add").set(columns);
      this.#atMost(columns, () => code.get(end));
      this.#pack(y, this.#column, { from: yFrom, begin: column, end: columns, to: yPanels, width: TILE.columns });
      const tiles = () =>
        this.#tiles({ row, rows, column, columns }, this.#x.packed ? opening.scratch : xFrom, yPanels);
      if (once) {
        tiles();
        return;
      }
      code.count(row, { to: () => code.address(this.#m), step: this.#rows }, () => {
        code.get(row).address(this.#rows).pointerOp("add").set(rows);
        this.#atMost(rows, () => code.address(this.#m));
        packRows();
        tiles();
      });
    });
  }

  #pack(
    { at }: Load,
    across: number,
    panels: Omit<Parameters<typeof packPanels>[1], "length" | "panel" | "step">,
  ): void {
    const { strides } = at;
    packPanels(this.code, {
      ...panels,
      length: this.#k,
      panel: strides[across]!,
      step: strides[this.summed]!,
    });
  }

  /** Of an operand, the element of the batch that stands at the start of the other loops. */
  #start({ from, at }: Load): Local {
    const { code, frame } = this;
    const start = code.local("pointer");
    code
      .get(frame.pointers.get(from)!)
      .address(WORD * at.offset)
      .pointerOp("add");
    for (const loop of this.product.batch) {
      if (at.strides[loop] === 0) continue;
      code
        .get(frame.coordinates.get(loop)!)
        .address(WORD * at.strides[loop]!)
        .pointerOp("mul")
        .pointerOp("add");
    }
    code.set(start);
    return start;
  }

  /** The tiles of a block, of panels at these addresses, or of x as it lies from there on. */
  #tiles(
    { row, rows, column, columns }: Record<"row" | "rows" | "column" | "columns", Local>,
    xFrom: Local,
    yPanels: Local,
  ): void {
    const { code, frame } = this;
    const [m, n, x, y] = this.#pointers(4) as [Local, Local, Local, Local];
    frame.coordinates.set(this.#row, m).set(this.#column, n);
    const { packed, across } = this.#x;
    const next = (at: Local, elements: number) =>
      code
        .get(at)
        .address(WORD * elements)
        .pointerOp("add")
        .set(at);
    const rest = this.#m % this.#tall;
    code.get(yPanels).set(y);
    code.count(n, { from: () => code.get(column), to: () => code.get(columns), step: TILE.columns }, () => {
      code.get(xFrom);
      if (!packed)
        code
          .get(row)
          .address(WORD * across)
          .pointerOp("mul")
          .pointerOp("add");
      code.set(x).get(row).set(m);
      code.block(() =>
        code.loop(() => {
          code.get(rows).get(m).pointerOp("sub").address(this.#tall).pointerOp("lt_u").branchIf(1);
          this.#tile(this.#tall, { m, n, x, y });
          next(x, this.#tall * (packed ? this.#k : across));
          code.get(m).address(this.#tall).pointerOp("add").set(m).branch(0);
        }),
      );
      // Only the last block can end within a tile.
      if (rest > 0)
        code
          .get(m)
          .get(rows)
          .pointerOp("lt_u")
          .if(() => this.#tile(rest, { m, n, x, y }));
      next(y, TILE.columns * this.#k);
    });
    frame.coordinates.delete(this.#row);
    frame.coordinates.delete(this.#column);
  }

  /** One tile of so many rows. */
  #tile(height: number, { m, n, x, y }: Record<"m" | "n" | "x" | "y", Local>): void {
    const { code } = this;
    const tile: Tile = Array.from({ length: height }, () => [code.local("v128"), code.local("v128")] as const);
    for (const local of tile.flat()) code.splat(0, "f32").set(local);
    this.#multiply(tile, x, y);
    if (this.#n % TILE.columns === 0) {
      this.#finishWhole(tile, m);
      return;
    }
    code.address(this.#n).get(n).pointerOp("sub").address(TILE.columns).pointerOp("ge_u");
    code.if(
      () => this.#finishWhole(tile, m),
      () => this.#finishPart(tile, m, n),
    );
  }

  /** The products along the summed loop. */
  #multiply(tile: Tile, xFrom: Local, yFrom: Local): void {
    const { code } = this;
    const [x, y, k] = this.#pointers(3) as [Local, Local, Local];
    const [low, high, factor] = [1, 2, 3].map(() => code.local("v128")) as [Local, Local, Local];
    const { turns, factor: writeFactor } = this.#factors(x);
    code.get(xFrom).set(x).get(yFrom).set(y);
    code.count(k, { to: () => code.address(this.#k), step: turns }, () => {
      for (let turn = 0; turn < turns; turn++) {
        code
          .get(y)
          .vectorAccess("v128.load", WORD * TILE.columns * turn)
          .set(low);
        code
          .get(y)
          .vectorAccess("v128.load", WORD * (TILE.columns * turn + 4))
          .set(high);
        tile.forEach(([left, right], row) => {
          writeFactor(turn, row);
          code.set(factor);
          this.multiplyAdd(factor, low, left);
          this.multiplyAdd(factor, high, right);
        });
      }
      code
        .get(y)
        .address(WORD * TILE.columns * turns)
        .pointerOp("add")
        .set(y);
      code
        .get(x)
        .address(WORD * this.#x.step * turns)
        .pointerOp("add")
        .set(x);
    });
  }

  /** How many turns of the summed loop are written out, and what pushes an element of x, from its address at their start, in all lanes. */
  #factors(x: Local): { turns: number; factor(turn: number, row: number): void } {
    const { code } = this;
    const { packed, across, step } = this.#x;
    const turns = [2, 1].find((n) => this.#k % n === 0)!;
    const inVectors = this.target.wide && packed && [4, 2, 1].find((n) => this.#k % n === 0 && (n * step) % 4 === 0);
    if (!inVectors)
      return {
        turns,
        factor: (turn, row) => {
          code.get(x).vectorAccess("v128.load32_splat", WORD * (step * turn + across * row));
        },
      };
    // The bounds of every access to a 64-bit memory are checked, which takes longer than to take a lane of four that were read at once.
    const four = code.local("v128");
    let held = -1;
    const factor = (turn: number, row: number) => {
      const at = step * turn + row;
      const [vector, lane] = [Math.floor(at / 4), at % 4];
      if (vector !== held)
        code
          .get(x)
          .vectorAccess("v128.load", 4 * WORD * vector)
          .set(four);
      held = vector;
      code.get(four).get(four).shuffle([lane, lane, lane, lane]);
    };
    return { turns: inVectors, factor };
  }

  #finishWhole(tile: Tile, m: Local): void {
    const { code, frame } = this;
    const at = code.local("pointer");
    frame.coordinates.set(this.#row, at);
    tile.forEach((vectors, row) => {
      code.get(m).address(row).pointerOp("add").set(at);
      this.finish(vectors, this.#column, 4);
    });
    frame.coordinates.set(this.#row, m);
  }

  /** Where the columns end within the tile: by way of memory, element by element. */
  #finishPart(tile: Tile, m: Local, n: Local): void {
    const { code, frame, opening } = this;
    const offset = this.#tileOffset;
    tile.flat().forEach((local, i) => {
      code
        .get(opening.scratch)
        .get(local)
        .vectorAccess("v128.store", offset + 16 * i);
    });
    const [row, column, end, from] = this.#pointers(4) as [Local, Local, Local, Local];
    const value = code.local("v128");
    frame.coordinates.set(this.#row, row).set(this.#column, column);
    code.get(opening.scratch).set(from).get(m).address(tile.length).pointerOp("add").set(end);
    code.count(row, { from: () => code.get(m), to: () => code.get(end) }, () => {
      code.count(column, { from: () => code.get(n), to: () => code.address(this.#n) }, () => {
        code.get(from).vectorAccess("v128.load32_splat", offset).set(value);
        this.finish([value], undefined, 1);
        code.get(from).address(WORD).pointerOp("add").set(from);
      });
      code
        .get(from)
        .address(WORD * (TILE.columns - (this.#n % TILE.columns)))
        .pointerOp("add")
        .set(from);
    });
    frame.coordinates.set(this.#row, m).set(this.#column, n);
  }

  #pointers(count: number): Local[] {
    return Array.from({ length: count }, () => this.code.local("pointer"));
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

/** @param width of the panels that the operand is packed into; 0 where it is read as it lies. */
const layout = ({ at }: Load, across: number, summed: number, width: number): Layout =>
  width > 0
    ? { packed: true, across: 1, step: width }
    : { packed: false, across: at.strides[across]!, step: at.strides[summed]! };

/** The extent of a block: a multiple of the tile's, not more than the matrix has, within a number of elements. */
const blockOf = (extent: number, tile: number, elements: number): number =>
  Math.min(Math.ceil(extent / tile) * tile, Math.max(tile, Math.floor(elements / tile) * tile));
