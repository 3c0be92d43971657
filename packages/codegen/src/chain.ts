import { size } from "@finegrain/graph";
import type { Task } from "./access.ts";
import { expressionsOf } from "./expression.ts";
import type { Kernel, LoopKernel } from "./kernel.ts";
import { asProduct } from "./product.ts";
import { canShareRows } from "./rows.ts";

/** Elements of a row, where a chain is of element-wise kernels alone and any cut would do. */
const ROW_LENGTHS = [256, 512, 1024];
/**
 * Steps of a kernel that one workgroup may do alone, one step being a multiplication, say: 256 lanes do as many in the time that
 * starting another dispatch takes, a few microseconds.
 */
const FEW_STEPS = 2 ** 15;
/** As {@link FEW_STEPS}, where so many workgroups share a chain that a device is not left idle, and more of them would read the same again. */
const STEPS = 2 ** 17;
const MANY_ROWS = 8;
/** Products of so many steps are worth tiles that many rows share, and so are alone. */
const WORTH_TILES = 2 ** 22;
/** Kernels of a chain, so that a shader stays of a size that drivers compile well. */
const LONGEST = 16;

/** Multiplications and the like, one for each element that is read or made. */
function stepsOf(kernel: Kernel): number {
  switch (kernel.kind) {
    case "loop":
      return size(kernel.extents) * size(kernel.reduction?.extents ?? []);
    case "scatterAdd":
      return kernel.count * kernel.width + kernel.to.size;
    case "topK":
      return kernel.rows * kernel.length * kernel.k;
    case "randomBits":
      return kernel.to.size * PHILOX_STEPS;
  }
}
/** Rounds of Philox, of two multiplications, for every four numbers. */
const PHILOX_STEPS = 5;

/** Whether a kernel may be one of a chain of as many rows. */
function suits(kernel: Kernel, rows: number, lanes: number): boolean {
  const steps = stepsOf(kernel);
  if (kernel.kind !== "loop") return rows === 1 && steps <= FEW_STEPS;
  const product = asProduct(kernel);
  if (product && steps >= WORTH_TILES) return false;
  // What a vector is multiplied with is read once and as fast as memory is: by the whole device, or in no time.
  const streams = product?.batch.length === 0 && product.rows.length === 0;
  if (steps / rows > (rows < MANY_ROWS || streams ? FEW_STEPS : STEPS)) return false;
  return size(kernel.extents) / rows >= lanes || readsAlongSum(kernel);
}

/** Whether lanes that share a sum read neighbours. */
function readsAlongSum({ extents, reduction }: LoopKernel): boolean {
  if (!reduction) return true;
  const innermost = extents.length + reduction.extents.length - 1;
  if (reduction.extents.length === 0) return true;
  return expressionsOf(reduction.body).every((e) => e.kind !== "load" || e.at.strides[innermost]! <= 1);
}

/**
 * In how many rows the kernels, which stand in their order, can run as one chain, and are quick enough so; undefined where they are not.
 * @param lanes of a workgroup: a row with less work than they do at once wastes them.
 */
export function rowsOf(tasks: readonly Task[], lanes: number): number | undefined {
  if (tasks.length > LONGEST) return undefined;
  const kernels = tasks.map(({ kernel }) => kernel);
  const busy = (rows: number) => rows === 1 || kernels.some((kernel) => stepsOf(kernel) / rows >= lanes);
  return candidates(kernels).find(
    (rows) => busy(rows) && kernels.every((kernel) => suits(kernel, rows, lanes)) && canShareRows(tasks, rows),
  );
}

/** Numbers of rows that every kernel can be cut into, most first. */
function candidates(kernels: readonly Kernel[]): number[] {
  const found = new Set([1]);
  for (const kernel of kernels) {
    if (kernel.kind !== "loop") return [1];
    for (let loops = 1; loops <= kernel.extents.length; loops++) found.add(size(kernel.extents.slice(0, loops)));
    for (const length of ROW_LENGTHS) found.add(size(kernel.extents) / length);
  }
  const divides = (rows: number) =>
    kernels.every((kernel) => kernel.kind === "loop" && size(kernel.extents) % rows === 0);
  return [...found].filter((rows) => Number.isInteger(rows) && divides(rows)).sort((a, b) => b - a);
}
