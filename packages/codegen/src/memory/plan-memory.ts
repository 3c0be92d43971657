import { atOnce, type Turns } from "@finegrain/graph";
import type { ProgramBuffer } from "../ir/buffer.ts";
import { bytesOf, type Kernel, readsOf } from "../ir/kernel.ts";
import type { Program } from "../ir/program.ts";
import { Arena } from "./arena.ts";

/** Where temporaries and constants live: offsets in one arena. */
export interface MemoryPlan {
  readonly offsets: ReadonlyMap<ProgramBuffer, number>;
  /** Of the whole arena, in bytes. */
  readonly bytes: number;
}

/**
 * Give every temporary a place for as long as it lives; what has been read for the last time makes room for what comes.
 * Constants have places of their own, since they are written once and for all.
 *
 * @param steps the program's kernels by when they run: those of one step may run at once, so all that it touches lives together. Default: one
 * after the other.
 * @param slabBytes where the arena is cut into slabs of as much, a multiple of 64: what fits into one is in one, and what is larger begins with one.
 */
export const planMemory = (program: Program, steps?: readonly (readonly Kernel[])[], slabBytes?: number): MemoryPlan =>
  atOnce(planningMemory(program, steps, slabBytes));

/** The same, in turns. */
export function* planningMemory(
  { kernels }: Program,
  steps: readonly (readonly Kernel[])[] = kernels.map((kernel) => [kernel]),
  slabBytes?: number,
): Turns<MemoryPlan> {
  const offsets = new Map<ProgramBuffer, number>();
  const arena = new Arena(slabBytes);
  const ends = lastSteps(steps);
  const living = new Set<ProgramBuffer>();
  for (const x of kernels.flatMap(readsOf))
    if (x.place.kind === "constant" && !offsets.has(x)) offsets.set(x, arena.take(bytesOf(x)));
  for (const [at, step] of steps.entries()) {
    for (const { to } of step) {
      if (to.place.kind !== "temporary" || offsets.has(to)) continue;
      offsets.set(to, arena.take(bytesOf(to)));
      living.add(to);
    }
    for (const x of living) {
      if (ends.get(x)! > at) continue;
      arena.free(offsets.get(x)!, bytesOf(x));
      living.delete(x);
    }
    yield;
  }
  return { offsets, bytes: arena.bytes };
}

/** The last step that touches each buffer. */
function lastSteps(steps: readonly (readonly Kernel[])[]): Map<ProgramBuffer, number> {
  const ends = new Map<ProgramBuffer, number>();
  steps.forEach((kernels, at) => {
    for (const kernel of kernels) for (const x of [...readsOf(kernel), kernel.to]) ends.set(x, at);
  });
  return ends;
}
