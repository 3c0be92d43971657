/** Of every buffer: a cache line, and four vectors. */
const ALIGNMENT = 64;
const aligned = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

/** Places in a memory: the smallest hole that fits, else its end. */
export class Arena {
  /** From the start to the end of what was ever taken. */
  bytes = 0;
  /** The end of what is taken now. */
  end = 0;
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
    const offset = this.end;
    this.end += bytes;
    this.bytes = Math.max(this.bytes, this.end);
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
    const last = this.#holes.at(-1)!; // there is at least the one that came
    if (last.offset + last.bytes < this.end) return;
    this.end = last.offset;
    this.#holes.pop();
  }
}
