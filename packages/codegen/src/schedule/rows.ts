import { type Access, mayMeet, sharesWords } from "../ir/access.ts";
import type { Index } from "../ir/index-form.ts";
import type { Task } from "./task.ts";

/*
 * Rows: a kernel's parallel iterations, row-major, cut into equal contiguous ranges. Kernels whose rows touch nothing of each other's other rows can
 * run row by row. A row's number is written in digits, one for each loop that it is made of, so that every index is affine in the digits.
 */

/** A loop, or a part of one that was cut. */
interface Part {
  readonly loop: number;
  /** Iterations of the loop that one of this part stands for. */
  readonly step: number;
  readonly extent: number;
  /** What one iteration adds to the row's number; 0 within a row. */
  readonly unit: number;
}

/** The kernel's loops as digits of a row and what is within it; undefined where rows would begin within an iteration of two loops. */
function loopsInRows(extents: readonly number[], rows: number): Part[] | undefined {
  const each = extents.reduce((a, b) => a * b, 1) / rows;
  if (!Number.isInteger(each)) return undefined;
  const parts: Part[] = [];
  let inner = 1;
  for (let loop = extents.length - 1; loop >= 0; loop--) {
    const extent = extents[loop]!;
    if (inner * extent <= each) parts.push({ loop, step: 1, extent, unit: 0 });
    else if (inner >= each) parts.push({ loop, step: 1, extent, unit: inner / each });
    else {
      const within = each / inner;
      if (!Number.isInteger(within) || extent % within !== 0) return undefined;
      parts.push({ loop, step: 1, extent: within, unit: 0 });
      parts.push({ loop, step: within, extent: extent / within, unit: 1 });
    }
    inner *= extent;
  }
  return parts.every(({ unit }) => Number.isInteger(unit)) ? parts : undefined;
}

/** The parts with every digit of a row cut where any of `units` begins. */
function cut(parts: readonly Part[], units: readonly number[]): Part[] | undefined {
  const result: Part[] = [];
  for (const part of parts) {
    let rest = part;
    for (const unit of units) {
      if (part.unit === 0 || unit <= rest.unit || unit >= rest.unit * rest.extent) continue;
      const low = unit / rest.unit;
      if (!Number.isInteger(low) || rest.extent % low !== 0) return undefined;
      result.push({ ...rest, extent: low });
      rest = { ...rest, step: rest.step * low, extent: rest.extent / low, unit };
    }
    result.push(rest);
  }
  return result;
}

/** A kernel that is cut into rows. */
interface Cut {
  readonly task: Task;
  readonly parts: readonly Part[];
}

/** What an index is made of: how far apart the iterations of each part are. */
interface Term {
  /** 0 for what is not a digit of the row. */
  readonly unit: number;
  readonly stride: number;
  readonly extent: number;
}

function termsOf({ strides, dynamic }: Index, { task: { kernel }, parts }: Cut): Term[] {
  const reduced = kernel.kind === "loop" ? (kernel.reduction?.extents ?? []) : [];
  const parallel = strides.length - reduced.length;
  return [
    ...parts.map(({ loop, step, extent, unit }) => ({ unit, stride: strides[loop]! * step, extent })),
    ...reduced.map((extent, k) => ({ unit: 0, stride: strides[parallel + k]!, extent })),
    ...dynamic.map(({ stride, extent }) => ({ unit: 0, stride, extent })),
  ];
}

/** Whether floor(index / digit.stride) mod digit.extent is the digit, whatever the other terms are. */
function reveals(offset: number, terms: readonly Term[], digit: Term): boolean {
  const period = digit.stride * digit.extent;
  let below = ((offset % period) + period) % period;
  for (const term of terms) {
    if (term === digit || term.stride % period === 0) continue;
    if (term.stride < 0) return false;
    below += term.stride * (term.extent - 1);
  }
  return below < digit.stride;
}

/**
 * Whether kernels may run row by row, each row of one after the same row of those before it: no row touches what another row of an
 * earlier or later kernel writes.
 */
export function canShareRows(tasks: readonly Task[], rows: number): boolean {
  if (rows === 1) return true;
  const whole = tasks.map(({ kernel }) => (kernel.kind === "loop" ? loopsInRows(kernel.extents, rows) : undefined));
  const units = [...new Set(whole.flatMap((parts) => parts?.map(({ unit }) => unit) ?? []))].sort((a, b) => a - b);
  const cuts: Cut[] = [];
  for (const [i, task] of tasks.entries()) {
    const parts = whole[i] && cut(whole[i], units);
    if (!parts) return false;
    cuts.push({ task, parts });
  }
  return cuts.every((later, i) => cuts.slice(0, i).every((earlier) => keepApart(earlier, later)));
}

/** Whether different rows of two kernels never meet. */
const keepApart = (a: Cut, b: Cut): boolean =>
  a.task.accesses.every((x) => b.task.accesses.every((y) => !mayMeet(x, y) || meetInRowsOnly(x, a, y, b)));

function meetInRowsOnly(x: Access, a: Cut, y: Access, b: Cut): boolean {
  if (!x.at || !y.at || sharesWords(x.buffer)) return false;
  const [from, to] = [x.at.offset, y.at.offset];
  const [ofX, ofY] = [termsOf(x.at, a), termsOf(y.at, b)];
  return ofX.every((digit) => {
    if (digit.unit === 0) return true;
    const same = ofY.find(({ unit }) => unit === digit.unit);
    return same?.stride === digit.stride && digit.stride > 0 && reveals(from, ofX, digit) && reveals(to, ofY, same);
  });
}
