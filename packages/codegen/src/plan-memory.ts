import type { ProgramBuffer } from "./buffer.ts";
import { bytesOf, readsOf } from "./kernel.ts";
import type { Program } from "./program.ts";

/** Where temporaries and constants live: offsets in one arena. */
export interface MemoryPlan {
  readonly offsets: ReadonlyMap<ProgramBuffer, number>;
  /** Of the whole arena, in bytes. */
  readonly bytes: number;
}

/** Of every buffer: a cache line, and four vectors. */
const ALIGNMENT = 64;
const aligned = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

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

/** Free places, smallest fit first; grows at its end. */
class Arena {
  bytes = 0;
  /** By offset, never two that touch. */
  #holes: { offset: number; bytes: number }[] = [];

  take(wanted: number): number {
    const bytes = aligned(wanted);
    const fits = this.#holes.filter((hole) => hole.bytes >= bytes);
    if (fits.length === 0) return this.#grow(bytes);
    const best = fits.reduce((a, b) => (b.bytes < a.bytes ? b : a));
    const { offset } = best;
    best.offset += bytes;
    best.bytes -= bytes;
    this.#holes = this.#holes.filter((hole) => hole.bytes > 0);
    return offset;
  }

  #grow(bytes: number): number {
    const last = this.#holes.at(-1);
    const atEnd = last !== undefined && last.offset + last.bytes === this.bytes;
    const offset = atEnd ? last.offset : this.bytes;
    if (atEnd) this.#holes.pop();
    this.bytes = offset + bytes;
    return offset;
  }

  free(offset: number, size: number): void {
    const bytes = aligned(size);
    if (bytes === 0) return;
    this.#holes.push({ offset, bytes });
    this.#holes.sort((a, b) => a.offset - b.offset);
    this.#holes = this.#holes.reduce<{ offset: number; bytes: number }[]>((merged, hole) => {
      const before = merged.at(-1);
      if (before && before.offset + before.bytes === hole.offset) before.bytes += hole.bytes;
      else merged.push(hole);
      return merged;
    }, []);
  }
}
