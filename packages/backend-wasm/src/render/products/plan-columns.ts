import { extentOf, type Product } from "@finegrain/codegen";

/** Rows of the matrix that one pass over the result adds: as many streams as a processor follows. */
const STREAMS = 8;
/** The most vectors that are summed up in one pass, since each is in a register of its own. More are a multiple of it. */
export const MOST_TOGETHER = 4;
/** Vectors of the result that a turn of a pass's loop writes. */
const UNROLLED = 4;

/** How a few vectors times a matrix are added up, in passes over the result. */
export interface ColumnsPlan {
  /** The loop along which the result is contiguous. */
  readonly column: number;
  /** The vectors, and how many of them are summed up together. */
  readonly vectors: number;
  readonly few: number;
  /** Rows of the matrix that a pass adds. */
  readonly block: number;
  readonly passes: number;
  /** How far the rows of a pass are apart, and how far one pass's are from the next's. */
  readonly apart: number;
  readonly step: number;
  /** Rows that the first pass stores, before others add to them. */
  readonly first: number;
  /** From here on rows are added one by one. */
  readonly rest: number;
  /** Vectors of the result that are written out in a turn. */
  readonly unrolled: number;
  /** Whether the sum may end after any pass. */
  readonly ends: boolean;
}

/**
 * The plan of a product whose result is contiguous along the matrix's rows. Of each pass, a row is as far from the next as can be, so that
 * from pass to pass each follows memory of its own without a gap; but side by side where the sum may end before the last.
 *
 * @param ends whether the sum may end early, which is known as the kernel runs. Only whole passes do.
 */
export function planColumns(product: Product, ends: boolean): ColumnsPlan {
  const length = extentOf(product, product.summed);
  const vectors = extentOf(product, product.rows);
  const few = Math.min(vectors, MOST_TOGETHER);
  const block = few === 1 ? STREAMS : STREAMS / 2;
  const passes = Math.floor(length / block);
  const early = ends && length % block === 0;
  const first = passes > 0 ? block : Math.min(1, length);
  return {
    column: product.columns.at(-1)!,
    vectors,
    few,
    block,
    passes,
    ...(early ? { apart: 1, step: block } : { apart: passes, step: 1 }),
    first,
    rest: Math.max(passes * block, first),
    unrolled: few === 1 ? UNROLLED : 1,
    ends: early,
  };
}
