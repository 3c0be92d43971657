import { Arena } from "./arena.ts";
import type { ProgramBuffer } from "./buffer.ts";
import { bytesOf, readsOf } from "./kernel.ts";
import type { Program } from "./program.ts";

/** Where temporaries and constants live: offsets in one arena. */
export interface MemoryPlan {
  readonly offsets: ReadonlyMap<ProgramBuffer, number>;
  /** Of the whole arena, in bytes. */
  readonly bytes: number;
}

/**
 * Give every temporary a place for as long as it lives; what has been read for the last time makes room for what comes.
 * Constants have places of their own, since they are written once and for all.
 */
export function planMemory(program: Program): MemoryPlan {
  const offsets = new Map<ProgramBuffer, number>();
  const arena = new Arena();
  const ends = lastReads(program);
  const living = new Set<ProgramBuffer>();
  for (const kernel of program.kernels)
    for (const x of readsOf(kernel))
      if (x.place.kind === "constant" && !offsets.has(x)) offsets.set(x, arena.take(bytesOf(x)));
  program.kernels.forEach((kernel, at) => {
    if (kernel.to.place.kind === "temporary" && !offsets.has(kernel.to)) {
      offsets.set(kernel.to, arena.take(bytesOf(kernel.to)));
      living.add(kernel.to);
    }
    for (const x of living) {
      if (ends.get(x)! > at) continue;
      arena.free(offsets.get(x)!, bytesOf(x));
      living.delete(x);
    }
  });
  return { offsets, bytes: arena.bytes };
}

/** The last kernel that touches each buffer. */
function lastReads(program: Program): Map<ProgramBuffer, number> {
  const ends = new Map<ProgramBuffer, number>();
  program.kernels.forEach((kernel, at) => {
    for (const x of [...readsOf(kernel), kernel.to]) ends.set(x, at);
  });
  return ends;
}
