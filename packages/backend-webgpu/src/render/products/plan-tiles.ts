import { extentOf, type Product } from "@finegrain/codegen";
import { isAligned } from "../expression.ts";
import { tileType } from "../kernel.ts";
import type { Target } from "../target.ts";

/** Products with fewer rows or columns are sums of their own. */
const FEW = 8;
/** Summed iterations whose operands are in the workgroup's memory at once. */
const DEPTH = 16;
/** Of which so many are one step, written one after the other: float16 ones are summed so before float32 takes over. */
const UNROLLED = { vec4f: 2, vec4h: 4 };
/** Elements of a lane along a side of its square of registers: at most, and where a tile is as small as it gets. */
const [OWN, LEAST_OWN] = [8, 4];
/** Lanes of a workgroup: where there are tiles enough for the whole of a GPU, and where not. The square roots are the sides of a tile in lanes. */
const [LARGE, SMALL] = [256, 64];
/** So many tiles keep a GPU busy, and it does fewer than so many of the smallest in less time as sums that lanes share. */
const [MANY_TILES, FEW_TILES] = [128, 16];
/** Vectors between the end of one summed iteration and the next in the workgroup's memory, so that they do not share its banks. */
const PADDING = 1;

/**
 * How a product of matrices is done in tiles: a workgroup computes one, every lane a square of registers, from parts of both operands in
 * the workgroup's memory, where four neighbours of a row or column are one vector.
 */
export interface TilesPlan {
  readonly rows: TileSide;
  readonly columns: TileSide;
  /** Lanes along a side of a tile. */
  readonly side: number;
  /** Tiles of each batch, from one row of them to the next, and along it. */
  readonly down: number;
  readonly across: number;
  /** Summed iterations in all, and those whose operands are in the workgroup's memory at once. */
  readonly length: number;
  readonly depth: number;
  /** Of the vectors in the workgroup's memory. */
  readonly type: "vec4f" | "vec4h";
  /** Summed iterations that are written one after the other, and summed in that type. */
  readonly unrolled: number;
}

/** One operand: its loops beside the summed ones, and how much of them a tile has. */
export interface TileSide {
  readonly letter: "x" | "y";
  readonly loops: readonly number[];
  readonly extent: number;
  /** Elements of a lane, a multiple of four. */
  readonly own: number;
  /** Of a tile. */
  readonly tile: number;
  /** Vectors between one summed iteration and the next in the workgroup's memory. */
  readonly stride: number;
  /** Whether neighbouring lanes bring neighbours along the side, which lie beside each other, and not along the sum. */
  readonly contiguous: boolean;
}

/** Whether a product is one of matrices that are worth tiles. */
export function isWorthTiles(product: Product, { cpu }: Target): boolean {
  const { rows, columns, summed } = product;
  const least = Math.min(...[rows, columns, summed].map((loops) => extentOf(product, loops)));
  return least >= FEW && (cpu || tilesOf(product, LEAST_OWN * Math.sqrt(SMALL)) >= FEW_TILES);
}

/** Lanes of the workgroups that do these products, which are worth tiles, side by side. */
export function lanesOfTiles(products: readonly Product[], { cpu, half, workgroupBytes }: Target): number {
  const side = OWN * Math.sqrt(LARGE);
  const bytes = 2 * DEPTH * (side / 4 + PADDING) * (half ? 8 : 16);
  const large = products.every((product) => tilesOf(product, side) >= MANY_TILES);
  return !cpu && bytes <= workgroupBytes && large ? LARGE : SMALL;
}

/** Plan a product in tiles of workgroups of the target's lanes. */
export function planTiles(product: Product, target: Target): TilesPlan {
  const { lanes, cpu } = target;
  const side = Math.sqrt(lanes);
  // Larger tiles read less, and smaller ones are more, for a GPU to be busy with.
  const enough = cpu || tilesOf(product, OWN * side) >= MANY_TILES / 2;
  const sideOf = (letter: "x" | "y", loops: readonly number[]): TileSide => {
    const extent = extentOf(product, loops);
    const own = enough && extent >= OWN * side ? OWN : LEAST_OWN;
    const tile = own * side;
    const contiguous = isAligned(product[letter].load, loops.at(-1)!);
    return { letter, loops, extent, own, tile, stride: tile / 4 + PADDING, contiguous };
  };
  const [rows, columns] = [sideOf("x", product.rows), sideOf("y", product.columns)];
  const type = tileType(target);
  return {
    rows,
    columns,
    side,
    down: Math.ceil(rows.extent / rows.tile),
    across: Math.ceil(columns.extent / columns.tile),
    length: extentOf(product, product.summed),
    depth: DEPTH,
    type,
    unrolled: UNROLLED[type],
  };
}

/** Tiles of a product that have so many rows and columns. */
const tilesOf = (product: Product, side: number): number =>
  extentOf(product, product.batch) *
  Math.ceil(extentOf(product, product.rows) / side) *
  Math.ceil(extentOf(product, product.columns) / side);
