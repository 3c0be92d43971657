import { size } from "@finegrain/graph";
import type { Work } from "../analysis/work.ts";
import { canShareRows } from "./rows.ts";
import type { Task } from "./task.ts";

/** Elements of a row, where a chain is of element-wise kernels alone and any cut would do. */
const ROW_LENGTHS = [256, 512, 1024];
/** So many workgroups share a chain that a device is not left idle, and more of them would read the same again. */
const MANY_ROWS = 8;
/** Products of so many steps are worth tiles, and so are alone: a workgroup that has several rows reads what they share once. */
const WORTH_TILES = 2 ** 22;
/** As {@link WORTH_TILES}, where rows share all the weights. */
const WORTH_SHARING = 2 ** 17;
/** So many lanes side by side read whole lines of memory, where each has a sum of its own ... */
const LINE_LANES = 32;
/** ... and shorter sums may be read as they come. */
const SHORT_SUM = 64;
/** Kernels of a chain, so that a shader stays of a size that drivers compile well. */
const LONGEST = 16;

/** What a chain is cut for. */
export interface ChainOptions {
  /** Lanes of a workgroup: a row with less work than they do at once wastes them. */
  readonly lanes: number;
  /** Steps of a kernel that a workgroup may do. */
  readonly steps: StepLimits;
  /** As many rows are enough, where a device does only so much at once: a workgroup with several reads what they share once. */
  readonly rows: number;
}

/** Steps of a kernel that a workgroup of a chain may do, one step being a multiplication, say. */
export interface StepLimits {
  /** Alone, or with few others: what takes no longer than starting another dispatch, a few microseconds. */
  readonly few: number;
  /** Where eight or more share the chain. */
  readonly many: number;
}

/** Whether a kernel may be one of a chain of as many rows. */
function suits(
  { iterations, steps, scattered, product }: Work,
  rows: number,
  { steps: limits, rows: enough }: ChainOptions,
): boolean {
  if (iterations === undefined) return rows === 1 && steps <= limits.few;
  // What a vector is multiplied with is read as fast as memory is: by the whole device, or in no time.
  const few = rows < MANY_ROWS || product === "vector";
  const quick = rows >= enough || steps / rows <= (few ? limits.few : limits.many);
  return quick && (scattered <= SHORT_SUM || iterations / rows >= LINE_LANES);
}

/** In how many rows the kernels, which stand in their order, can run as one chain, and are quick enough so; undefined where they are not. */
export function rowsOf(tasks: readonly Task[], options: ChainOptions): number | undefined {
  const works = tasks.map(({ work }) => work);
  if (tasks.length > LONGEST || works.some(worthTiles)) return undefined;
  const most = Math.max(...works.map(({ steps }) => steps));
  return candidates(tasks, options.rows).find(
    (rows) =>
      (rows === 1 || most / rows >= options.lanes) &&
      works.every((work) => suits(work, rows, options)) &&
      canShareRows(tasks, rows),
  );
}

const worthTiles = ({ product, steps, reuse }: Work): boolean =>
  product !== undefined && steps >= (reuse > 1 ? WORTH_SHARING : WORTH_TILES);

/** Numbers of rows that every kernel can be cut into: those that are enough, fewest first, then the others, most first. */
function candidates(tasks: readonly Task[], enough: number): number[] {
  const found = new Set([1]);
  for (const { kernel, work } of tasks) {
    if (kernel.kind !== "loop" || work.iterations === undefined) return [1];
    for (let loops = 1; loops <= kernel.extents.length; loops++) found.add(size(kernel.extents.slice(0, loops)));
    for (const length of ROW_LENGTHS) found.add(work.iterations / length);
  }
  const divides = (rows: number) => tasks.every(({ work }) => work.iterations! % rows === 0); // of loops, all of them
  const possible = [...found].filter((rows) => Number.isInteger(rows) && divides(rows)).sort((a, b) => a - b);
  const few = possible.filter((rows) => rows < enough);
  return [...possible.slice(few.length), ...few.reverse()];
}
