import { extentOf, type Load, type Product } from "@finegrain/codegen";
import { type Target, WORD } from "../kernel.ts";

/**
 * The tile of the result that is kept in registers. Of x64's 16 vectors V8 keeps one for itself; a fused multiply-add leaves room for 12 sums,
 * a product of its own for 10, and so does a vector whose lanes are the factors (see {@link TilesPlan.factorsInVectors}).
 */
const TALLEST = { fused: 6, separate: 5, inVectors: 5 };
/** Columns of a tile: two vectors. */
export const TILE_COLUMNS = 8;
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

/** How a product of matrices is cut into tiles and blocks of them. */
export interface TilesPlan {
  /** The loops of the result. */
  readonly row: number;
  readonly column: number;
  /** Extents of the product. */
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** Rows of a tile. */
  readonly tall: number;
  /** Rows and columns of a block. */
  readonly rows: number;
  readonly columns: number;
  /** Blocks of each product: one behind the other along the rows, then along the columns. */
  readonly blocks: { readonly rows: number; readonly columns: number };
  /** Blocks of all products of the batch, and how many of them each thread has, but for the last. */
  readonly units: number;
  readonly own: number;
  /** Whether there are so many products that threads have whole ones. */
  readonly many: boolean;
  readonly x: Layout;
  /** Turns of the summed loop that are written out. */
  readonly turns: number;
  /**
   * Whether x is read four elements at a time, of which lanes are taken: the bounds of every access to a 64-bit memory are checked, which
   * takes longer than that.
   */
  readonly factorsInVectors: boolean;
  /** In the thread's own memory, behind the panels of x: those of y, a tile, and the end. */
  readonly scratch: { readonly y: number; readonly tile: number; readonly end: number };
}

/** The plan of a product that has one loop of rows, one of columns and one that is summed. */
export function planTiles(product: Product, { wide, relaxed, threads }: Target): TilesPlan {
  const [row, column, summed] = [product.rows[0]!, product.columns[0]!, product.summed[0]!];
  const [m, n, k] = [row, column, summed].map((loop) => extentOf(product, [loop])) as [number, number, number];
  const packed = m > WORTH_PACKING;
  const tallest = TALLEST[wide && packed ? "inVectors" : relaxed ? "fused" : "separate"];
  const tall = Math.ceil(m / Math.ceil(m / tallest));
  const x = layout(product.x.load, row, summed, packed ? tall : 0);
  const times = extentOf(product, product.batch);
  const many = times >= 2 * threads;
  const columns = equalBlock(n, TILE_COLUMNS, {
    most: blockOf(n, TILE_COLUMNS, BLOCK_BYTES.columns / WORD / k),
    // So that the threads have as many each.
    multiple: many ? 1 : threads / greatestDivisor(threads, times),
  });
  const again = WORD * m * k > BLOCK_BYTES.whole || columns > FEW_COLUMNS;
  const rows = packed && again ? blockOf(m, tall, BLOCK_BYTES.rows / WORD / k) : m;
  const blocks = { rows: Math.ceil(m / rows), columns: Math.ceil(n / columns) };
  const units = times * blocks.columns * blocks.rows;
  const inVectors =
    wide && packed ? [4, 2, 1].find((turns) => k % turns === 0 && (turns * x.step) % 4 === 0) : undefined;
  const ofY = packed ? WORD * Math.ceil(rows / tall) * tall * k : 0;
  const ofTile = ofY + WORD * columns * k;
  return {
    row,
    column,
    m,
    n,
    k,
    tall,
    rows,
    columns,
    blocks,
    units,
    own: Math.ceil(units / threads),
    many,
    x,
    turns: inVectors ?? (k % 2 === 0 ? 2 : 1),
    factorsInVectors: inVectors !== undefined,
    scratch: { y: ofY, tile: ofTile, end: ofTile + WORD * tall * TILE_COLUMNS },
  };
}

/** @param width of the panels that the operand is packed into; 0 where it is read as it lies. */
const layout = ({ at }: Load, across: number, summed: number, width: number): Layout =>
  width > 0
    ? { packed: true, across: 1, step: width }
    : { packed: false, across: at.strides[across]!, step: at.strides[summed]! };

/** The extent of a block: a multiple of the tile's, not more than the matrix has, within a number of elements. */
const blockOf = (extent: number, tile: number, elements: number): number =>
  Math.min(Math.ceil(extent / tile) * tile, Math.max(tile, Math.floor(elements / tile) * tile));

/** The extent of equal blocks of at most `most`, a number of them that `multiple` divides where there are enough tiles for that. */
function equalBlock(extent: number, tile: number, { most, multiple }: { most: number; multiple: number }): number {
  const tiles = Math.ceil(extent / tile);
  const count = Math.min(tiles, Math.ceil(Math.ceil(extent / most) / multiple) * multiple);
  return Math.ceil(tiles / count) * tile;
}

const greatestDivisor = (a: number, b: number): number => (b === 0 ? a : greatestDivisor(b, a % b));
