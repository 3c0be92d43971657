import type { DynamicTerm, Index } from "./expression.ts";

export type { DynamicTerm, Index };

/** A loop that has to become two for an index to stay affine: see {@link divide}. */
export class SplitLoop extends Error {
  readonly loop: number;
  readonly inner: number;

  constructor(loop: number, inner: number) {
    super(`loop ${loop} has to be split at ${inner}`);
    this.loop = loop;
    this.inner = inner;
  }
}

export const constantIndex = (offset: number, loops: number): Index => ({
  offset,
  strides: new Array<number>(loops).fill(0),
  dynamic: [],
});

export const addIndex = (a: Index, b: Index): Index => ({
  offset: a.offset + b.offset,
  strides: a.strides.map((stride, loop) => stride + b.strides[loop]!),
  dynamic: [...a.dynamic, ...b.dynamic],
});

export const scaleIndex = (a: Index, factor: number): Index => ({
  offset: a.offset * factor,
  strides: a.strides.map((stride) => stride * factor),
  dynamic: factor === 0 ? [] : a.dynamic.map((term) => ({ ...term, stride: term.stride * factor })),
});

export const shiftIndex = (a: Index, by: number): Index => ({ ...a, offset: a.offset + by });

/** The same place in every iteration, known when the kernel is compiled. */
export const isConstant = ({ strides, dynamic }: Index): boolean =>
  dynamic.length === 0 && strides.every((stride) => stride === 0);

/**
 * index = outer * size + inner with inner in [0, size), both affine.
 *
 * @param extents of the loops.
 * @returns undefined where there is no such pair.
 * @throws SplitLoop where there would be one if a loop were two.
 */
export function divide(
  index: Index,
  size: number,
  extents: readonly number[],
): [outer: Index, inner: Index] | undefined {
  const inner = {
    offset: ((index.offset % size) + size) % size,
    strides: index.strides.map(() => 0),
    dynamic: [] as DynamicTerm[],
  };
  const outer = {
    offset: (index.offset - inner.offset) / size,
    strides: index.strides.map(() => 0),
    dynamic: [] as DynamicTerm[],
  };
  let largest = inner.offset;
  index.strides.forEach((stride, loop) => {
    if (stride % size === 0) outer.strides[loop] = stride / size;
    else {
      inner.strides[loop] = stride;
      largest += Math.max(0, stride) * (extents[loop]! - 1);
    }
  });
  for (const term of index.dynamic) {
    if (term.stride % size === 0) outer.dynamic.push({ ...term, stride: term.stride / size });
    else {
      inner.dynamic.push(term);
      largest += Math.max(0, term.stride) * (term.extent - 1);
    }
  }
  if (inner.strides.some((stride) => stride < 0) || inner.dynamic.some(({ stride }) => stride < 0)) return undefined;
  if (largest < size) return [outer, inner];
  const loop = inner.strides.findIndex((stride, l) => {
    const length = size / stride;
    return stride > 0 && Number.isInteger(length) && extents[l]! > length && extents[l]! % length === 0;
  });
  if (loop >= 0) throw new SplitLoop(loop, size / inner.strides[loop]!);
  return undefined;
}
