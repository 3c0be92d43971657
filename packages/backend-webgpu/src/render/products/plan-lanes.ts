import { extentOf, type Product } from "@finegrain/codegen";
import { isAligned } from "../expression.ts";
import type { Target } from "../target.ts";

/** Rows that a lane has sums of at most. */
const MOST_ROWS = 4;
/** As {@link MOST_ROWS}, on a CPU, whose lanes read a row each and give it to the others. */
const MOST_ROWS_CPU = 8;
/** Columns, or vectors of four of them, that the lanes of a CPU have sums of at most: so often they use what they read of a row. */
const MOST_COLUMNS = 32;
/** Sums that a lane of a CPU has at most, of one column each, or of four: registers hold no more. */
const MOST_SUMS = { 1: 32, 4: 8 };
/** A sum is not cut into parts of fewer steps than this, nor its last loop nested if it has fewer. A GPU has lanes to spare. */
const FEW_STEPS = 4;
/** As {@link FEW_STEPS}, on a CPU. */
const FEW_STEPS_CPU = 16;
/** Lanes of a GPU that read neighbours together fill a line of memory. */
const LINE_LANES = 8;
/** Steps of a sum that a lane of a GPU reads at once. */
const UNROLLED = 4;

/**
 * How a product is done by lanes of which every one has columns of its own, and all the same rows: what they read of the operand `x` is one
 * address for all of them, and what they read of `y` lies side by side.
 */
export interface LanesPlan {
  /** The loop whose neighbours are the lanes of a vector. */
  readonly vector: number;
  /** Whether a vector is four columns, and not four steps of the sum. */
  readonly wide: boolean;
  /** Whether a sum is one number all along, and not four that are added up at the end: so a CPU's registers hold more of them. */
  readonly single: boolean;
  /** Rows of a lane. */
  readonly rows: number;
  /** Columns of a lane, or vectors of them. */
  readonly columns: number;
  /** Elements of the sum that are read of `x` at once: a step. */
  readonly reach: 1 | 4;
  /** Parts of a sum, each a lane's. */
  readonly parts: number;
  /** Whether neighbouring lanes have parts of one sum, and not the same part of neighbouring sums. */
  readonly along: boolean;
  /** Whether the lanes of a subgroup read different rows and steps of `x`, and take the others from one another. */
  readonly shared: boolean;
  /** Steps whose rows the lanes read together, each a row and step of its own. */
  readonly together: number;
  /** The loops of the sum that steps go along: the last alone, where loops around it nest, and what does not change along it is read once. */
  readonly stepped: readonly number[];
  /** Steps of a part that are written one after the other. */
  readonly unrolled: number;
}

/**
 * Plan a product for few rows, or for a CPU, which has no use for tiles in a workgroup's memory.
 *
 * @param row iterations that one workgroup does where the kernel is one of a chain; undefined where it is spread as it likes.
 * @returns undefined where `y` cannot be read in vectors, along its columns or along the sum, or the row does not suit.
 */
export function planLanes(product: Product, target: Target, row?: number): LanesPlan | undefined {
  const { columns, summed } = product;
  const last = summed.at(-1);
  const vector = columns.length === 0 || last === undefined ? undefined : vectorOf(product);
  if (vector === undefined || last === undefined) return undefined;
  const wide = !summed.includes(vector);
  if (row !== undefined && !(target.cpu && suitsRows(product, row, target.lanes * (wide ? 4 : 1)))) return undefined;
  const own = planSums(product, target, { row, wide });
  const { lanes, subgroup, cpu } = target;
  const quads = cpu && own.rows > 1 && product.extents[last]! % 4 === 0 && isAligned(product.x.load, last);
  const reach = !wide || quads ? 4 : 1;
  const steps = extentOf(product, summed) / reach; // reads of x for a sum
  const along = !wide && !cpu;
  const parts = partsOfSum(steps, target, { along, sums: own.sums, wanted: own.columns * own.wanted });
  const even = lanes % own.rows === 0 ? steps % (lanes / own.rows) === 0 : own.rows % lanes === 0;
  const shared = cpu && subgroup === lanes && parts === 1 && even && (own.rows > 1 || reach === 4);
  const together = shared ? Math.max(1, lanes / own.rows) : 1;
  const ofLast = product.extents[last]! / reach;
  const nests = cpu && parts === 1 && ofLast % together === 0 && ofLast >= FEW_STEPS * together;
  const stepped = nests ? [last] : summed;
  const unrolled = !cpu && (extentOf(product, stepped) / reach) % (parts * UNROLLED) === 0 ? UNROLLED : 1;
  const { rows, columns: ownColumns } = own;
  const single = cpu && !wide;
  return { vector, wide, single, rows, columns: ownColumns, reach, parts, along, shared, together, stepped, unrolled };
}

/** The loop whose neighbours are the lanes of a vector. */
const vectorOf = ({ extents, y, columns, summed }: Product): number | undefined =>
  [columns.at(-1)!, summed.at(-1)!].find((loop) => extents[loop]! % 4 === 0 && isAligned(y.load, loop));

/** Whether, in a chain, a workgroup's row is of columns alone, or of all columns of some batches, and these are enough for `lanes` of them. */
function suitsRows(product: Product, row: number, lanes: number): boolean {
  const { batch, rows, columns } = product;
  const width = extentOf(product, columns);
  const inOrder = [...batch, ...columns].every((loop, k) => loop === k);
  const whole = batch.length === 0 ? row % lanes === 0 : row % width === 0 && width % lanes === 0;
  return rows.length === 0 && inOrder && whole;
}

/** How many rows and columns a lane has sums of, how many lanes that makes, and how many are wanted. */
function planSums(product: Product, target: Target, { row, wide }: { row: number | undefined; wide: boolean }) {
  const { lanes, cpu } = target;
  const wanted = row === undefined ? target.wanted : lanes;
  const width = extentOf(product, product.columns);
  const height = extentOf(product, product.rows);
  const beside = row === undefined ? extentOf(product, product.batch) * width : Math.min(row, width);
  const lanesOf = (rows: number) => (beside / (wide ? 4 : 1)) * Math.ceil(height / rows);
  const tall = cpu && height >= MOST_ROWS_CPU && lanesOf(MOST_ROWS_CPU) >= wanted;
  const rows = tall ? MOST_ROWS_CPU : Math.min(MOST_ROWS, height);
  const sums = lanesOf(rows);
  const most = cpu ? Math.min(MOST_COLUMNS / lanes, MOST_SUMS[wide ? 4 : 1] / rows) : 1;
  let columns = 1;
  while (2 * columns <= most && sums >= 2 * columns * wanted) columns *= 2;
  return { rows, columns, sums, wanted };
}

/** In how many parts a sum of so many steps is cut, so that as many lanes are busy as are wanted. */
function partsOfSum(
  steps: number,
  { lanes, cpu }: Target,
  { along, sums, wanted }: { along: boolean; sums: number; wanted: number },
): number {
  const least = along ? LINE_LANES : 1;
  const most = cpu || along ? lanes : lanes / LINE_LANES;
  const few = cpu ? FEW_STEPS_CPU : FEW_STEPS;
  let parts = 1;
  while ((sums * parts < wanted || parts < least) && 2 * parts <= most && steps >= 2 * parts * few) parts *= 2;
  return parts;
}
