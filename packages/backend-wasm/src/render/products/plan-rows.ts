import { extentOf, type Product } from "@finegrain/codegen";

/** Accumulators that fit into the processor's registers beside the operands. */
const ACCUMULATORS = 8;

/** How inner products of a few vectors with the rows of a matrix are shared out. */
export interface RowsPlan {
  /** The loop along which the matrix's rows are taken together. */
  readonly last: number;
  /** Vectors of a unit. */
  readonly few: number;
  /** Rows of the matrix in a unit. */
  readonly block: number;
  /** Accumulators of each inner product. */
  readonly vectors: number;
}

/** The plan of a product whose operands are both contiguous along the sum. */
export function planRows(product: Product): RowsPlan {
  const last = product.columns.at(-1)!; // a product without columns has a loop of its own
  const few = [4, 3, 2, 1].find((n) => extentOf(product, product.rows.slice(-1)) % n === 0)!;
  const block = [8, 4, 2, 1].find((n) => product.extents[last]! % n === 0 && n * few <= ACCUMULATORS)!;
  return { last, few, block, vectors: Math.max(1, Math.floor(ACCUMULATORS / (block * few))) };
}
