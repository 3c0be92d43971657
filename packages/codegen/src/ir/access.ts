import type { ProgramBuffer } from "./buffer.ts";
import { expressionsOf } from "./expression.ts";
import type { Index } from "./index-form.ts";
import { elementBytes, type Kernel, type LoopKernel, readsOf, rootsOf } from "./kernel.ts";

/** A place in a kernel where it reads or writes a buffer. */
export interface Access {
  readonly buffer: ProgramBuffer;
  readonly writes: boolean;
  /** Over the kernel's loops; undefined where it may be any element. */
  readonly at: Index | undefined;
  /** First and last element that it may touch. */
  readonly range: readonly [first: number, last: number];
}

/** Everything that a kernel touches. */
export function accessesOf(kernel: Kernel): Access[] {
  switch (kernel.kind) {
    case "loop":
      return loopAccesses(kernel);
    default:
      return [...readsOf(kernel).map((buffer) => wholly(buffer)), wholly(kernel.to, true)];
  }
}

const wholly = (buffer: ProgramBuffer, writes = false): Access => ({
  buffer,
  writes,
  at: undefined,
  range: [0, buffer.size - 1],
});

function loopAccesses(kernel: LoopKernel): Access[] {
  const { extents, reduction, at, to } = kernel;
  const all = [...extents, ...(reduction?.extents ?? [])];
  const reads = expressionsOf(...rootsOf(kernel)).flatMap((e) =>
    e.kind === "load" ? [{ buffer: e.from, writes: false, at: e.at, range: rangeOf(e.at, all) }] : [],
  );
  return [...reads, { buffer: to, writes: true, at, range: rangeOf(at, all) }];
}

function rangeOf({ offset, strides, dynamic }: Index, extents: readonly number[]): [number, number] {
  let [first, last] = [offset, offset];
  const reach = (distance: number) => {
    if (distance < 0) first += distance;
    else last += distance;
  };
  strides.forEach((stride, loop) => {
    reach(stride * (extents[loop]! - 1));
  });
  for (const { stride, extent } of dynamic) reach(stride * (extent - 1));
  return [first, last];
}

/** Whether the two may meet at an element that one of them writes. Elements of fewer bits share words, which are written as one. */
export function mayMeet(a: Access, b: Access): boolean {
  if (a.buffer !== b.buffer || !(a.writes || b.writes)) return false;
  return sharesWords(a.buffer) || (a.range[0] <= b.range[1] && b.range[0] <= a.range[1]);
}

/** Whether neighbours lie in one word of memory. */
export const sharesWords = ({ dtype }: ProgramBuffer): boolean => elementBytes(dtype) < 4;
