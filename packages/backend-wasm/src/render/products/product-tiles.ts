import type { Load, LoopKernel, Reduction } from "@finegrain/codegen";
import type { Local } from "../../assembler/code.ts";
import { type Opening, WORD } from "../kernel.ts";
import type { Division } from "../loops/loop-renderer.ts";
import { packPanels } from "./pack.ts";
import { planTiles, TILE_COLUMNS, type TilesPlan } from "./plan-tiles.ts";
import { type ProductOptions, ProductRenderer } from "./product-renderer.ts";

type Tile = readonly (readonly [left: Local, right: Local])[];

/**
 * A product of matrices in tiles. Operands are copied into panels, in the order in which the innermost loop reads them, where that
 * pays: Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (2008). A thread has columns of its own.
 */
export class TileProductRenderer extends ProductRenderer {
  readonly #plan: TilesPlan;

  constructor(kernel: LoopKernel, reduction: Reduction, opening: Opening, options: ProductOptions) {
    super(kernel, reduction, opening, options);
    this.#plan = planTiles(options.product, options.target);
  }

  render(): Division {
    const { kernel } = this;
    const { blocks, units, own, many, scratch } = this.#plan;
    const outer = this.product.batch.map((loop) => ({ loop, extent: kernel.extents[loop]! }));
    this.forUnitsOf([...outer, { extent: blocks.columns }, { extent: blocks.rows }], (unit, at) => {
      const [column, row] = at.slice(-2) as [Local, Local];
      this.#block({ isFirst: () => this.code.get(unit).address(own).pointerOp("rem_u").pointerOp("eqz"), column, row });
    });
    return { units, grain: 1, rows: many ? this.rowsOf(outer) : 1, scratch: scratch.end };
  }

  /**
   * One block, by its place among the columns and the rows. Panels stay in the thread's own memory for the blocks behind it that read them too.
   * @param isFirst pushes whether it is the first of its thread, which has no panels yet.
   */
  #block({ isFirst, column, row }: { isFirst: () => void; column: Local; row: Local }): void {
    const { code, opening } = this;
    const plan = this.#plan;
    const [x, y] = [this.product.x.load, this.product.y.load];
    const [columnsFrom, columnsTo] = this.#range(column, plan.columns, plan.n);
    const [rowsFrom, rowsTo] = this.#range(row, plan.rows, plan.m);
    const [xFrom, yFrom] = [this.#start(x), this.#start(y)];
    const yPanels = code.local("pointer");
    code.get(opening.scratch).address(plan.scratch.y).pointerOp("add").set(yPanels);
    const ifNew = (block: Local, pack: () => void): void => {
      isFirst();
      code.get(block).pointerOp("eqz").do("i32.or").if(pack);
    };
    ifNew(row, () =>
      this.#pack(y, plan.column, {
        from: yFrom,
        begin: columnsFrom,
        end: columnsTo,
        to: yPanels,
        width: TILE_COLUMNS,
      }),
    );
    if (plan.x.packed) {
      const pack = () =>
        this.#pack(x, plan.row, {
          from: xFrom,
          begin: rowsFrom,
          end: rowsTo,
          to: opening.scratch,
          width: plan.tall,
        });
      // One block of rows serves all columns; several take turns at each block of columns.
      if (plan.blocks.rows === 1) ifNew(column, pack);
      else pack();
    }
    this.#tiles(
      { row: rowsFrom, rows: rowsTo, column: columnsFrom, columns: columnsTo },
      plan.x.packed ? opening.scratch : xFrom,
      yPanels,
    );
  }

  /** The first row or column of a block, and the one behind its last. */
  #range(block: Local, length: number, extent: number): [begin: Local, end: Local] {
    const { code } = this;
    const [begin, end] = this.#pointers(2) as [Local, Local];
    code.get(block).address(length).pointerOp("mul").tee(begin).address(length).pointerOp("add").set(end);
    this.#atMost(end, () => code.address(extent));
    return [begin, end];
  }

  #pack(
    { at }: Load,
    across: number,
    panels: Omit<Parameters<typeof packPanels>[1], "length" | "panel" | "step">,
  ): void {
    const { strides } = at;
    packPanels(this.code, {
      ...panels,
      length: this.#plan.k,
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
    frame.coordinates.set(this.#plan.row, m).set(this.#plan.column, n);
    const { packed, across } = this.#plan.x;
    const next = (at: Local, elements: number) =>
      code
        .get(at)
        .address(WORD * elements)
        .pointerOp("add")
        .set(at);
    const rest = this.#plan.m % this.#plan.tall;
    code.get(yPanels).set(y);
    code.count(n, { from: () => code.get(column), to: () => code.get(columns), step: TILE_COLUMNS }, () => {
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
          code.get(rows).get(m).pointerOp("sub").address(this.#plan.tall).pointerOp("lt_u").branchIf(1);
          this.#tile(this.#plan.tall, { m, n, x, y });
          next(x, this.#plan.tall * (packed ? this.#plan.k : across));
          code.get(m).address(this.#plan.tall).pointerOp("add").set(m).branch(0);
        }),
      );
      // Only the last block can end within a tile.
      if (rest > 0)
        code
          .get(m)
          .get(rows)
          .pointerOp("lt_u")
          .if(() => this.#tile(rest, { m, n, x, y }));
      next(y, TILE_COLUMNS * this.#plan.k);
    });
    frame.coordinates.delete(this.#plan.row);
    frame.coordinates.delete(this.#plan.column);
  }

  /** One tile of so many rows. */
  #tile(height: number, { m, n, x, y }: Record<"m" | "n" | "x" | "y", Local>): void {
    const { code } = this;
    const tile: Tile = Array.from({ length: height }, () => [code.local("v128"), code.local("v128")] as const);
    for (const local of tile.flat()) code.splat(0, "f32").set(local);
    this.#multiply(tile, x, y);
    if (this.#plan.n % TILE_COLUMNS === 0) {
      this.#finishWhole(tile, m);
      return;
    }
    code.address(this.#plan.n).get(n).pointerOp("sub").address(TILE_COLUMNS).pointerOp("ge_u");
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
    const { turns } = this.#plan;
    const writeFactor = this.#factors(x);
    code.get(xFrom).set(x).get(yFrom).set(y);
    code.count(k, { to: () => code.address(this.#plan.k), step: turns }, () => {
      for (let turn = 0; turn < turns; turn++) {
        code
          .get(y)
          .vectorAccess("v128.load", WORD * TILE_COLUMNS * turn)
          .set(low);
        code
          .get(y)
          .vectorAccess("v128.load", WORD * (TILE_COLUMNS * turn + 4))
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
        .address(WORD * TILE_COLUMNS * turns)
        .pointerOp("add")
        .set(y);
      code
        .get(x)
        .address(WORD * this.#plan.x.step * turns)
        .pointerOp("add")
        .set(x);
    });
  }

  /** What pushes an element of x, so many turns and rows from its address, in all lanes. */
  #factors(x: Local): (turn: number, row: number) => void {
    const { code } = this;
    const { across, step } = this.#plan.x;
    if (!this.#plan.factorsInVectors)
      return (turn, row) => {
        code.get(x).vectorAccess("v128.load32_splat", WORD * (step * turn + across * row));
      };
    const four = code.local("v128");
    let held = -1;
    return (turn, row) => {
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
  }

  #finishWhole(tile: Tile, m: Local): void {
    const { code, frame } = this;
    const at = code.local("pointer");
    frame.coordinates.set(this.#plan.row, at);
    tile.forEach((vectors, row) => {
      code.get(m).address(row).pointerOp("add").set(at);
      this.finish(vectors, this.#plan.column, 4);
    });
    frame.coordinates.set(this.#plan.row, m);
  }

  /** Where the columns end within the tile: by way of memory, element by element. */
  #finishPart(tile: Tile, m: Local, n: Local): void {
    const { code, frame, opening } = this;
    const offset = this.#plan.scratch.tile;
    tile.flat().forEach((local, i) => {
      code
        .get(opening.scratch)
        .get(local)
        .vectorAccess("v128.store", offset + 16 * i);
    });
    const [row, column, end, from] = this.#pointers(4) as [Local, Local, Local, Local];
    const value = code.local("v128");
    frame.coordinates.set(this.#plan.row, row).set(this.#plan.column, column);
    code.get(opening.scratch).set(from).get(m).address(tile.length).pointerOp("add").set(end);
    code.count(row, { from: () => code.get(m), to: () => code.get(end) }, () => {
      code.count(column, { from: () => code.get(n), to: () => code.address(this.#plan.n) }, () => {
        code.get(from).vectorAccess("v128.load32_splat", offset).set(value);
        this.finish([value], undefined, 1);
        code.get(from).address(WORD).pointerOp("add").set(from);
      });
      code
        .get(from)
        .address(WORD * (TILE_COLUMNS - (this.#plan.n % TILE_COLUMNS)))
        .pointerOp("add")
        .set(from);
    });
    frame.coordinates.set(this.#plan.row, m).set(this.#plan.column, n);
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
