/** Of every buffer: a cache line, and four vectors. */
const ALIGNMENT = 64;
const aligned = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

interface Hole {
  readonly offset: number;
  bytes: number;
}

const between = (offset: number, end: number): Hole => ({ offset, bytes: end - offset });
const endOf = ({ offset, bytes }: Hole): number => offset + bytes;

/** Places in a memory: the smallest hole that fits, else its end. */
export class Arena {
  /** From the start to the end of what was ever taken. */
  bytes = 0;
  /** The end of what is taken now. */
  end = 0;
  readonly #slabBytes: number;
  /** By offset, never two that touch. */
  #holes: Hole[] = [];

  /** @param slabBytes where the memory is cut into slabs of as much, a multiple of 64: what fits into one is in one, and what is larger begins with one. */
  constructor(slabBytes = Number.POSITIVE_INFINITY) {
    this.#slabBytes = slabBytes;
  }

  take(wanted: number): number {
    const bytes = aligned(wanted);
    if (bytes === 0) return 0; // which is as good as anywhere
    const fits = this.#holes.filter((hole) => this.#from(hole.offset, bytes) + bytes <= endOf(hole));
    if (fits.length === 0) return this.#grow(bytes);
    const best = fits.reduce((a, b) => (b.bytes < a.bytes ? b : a));
    const offset = this.#from(best.offset, bytes);
    const left = [between(best.offset, offset), between(offset + bytes, endOf(best))];
    this.#holes = this.#holes.flatMap((one) => (one === best ? left : one)).filter((one) => one.bytes > 0);
    return offset;
  }

  /** The first place at or behind `offset` that does not cross from one slab into another. */
  #from(offset: number, bytes: number): number {
    const within = offset % this.#slabBytes;
    return within === 0 || within + bytes <= this.#slabBytes ? offset : offset - within + this.#slabBytes;
  }

  #grow(bytes: number): number {
    const offset = this.#from(this.end, bytes);
    if (offset > this.end) this.#holes.push(between(this.end, offset));
    this.end = offset + bytes;
    this.bytes = Math.max(this.bytes, this.end);
    return offset;
  }

  free(offset: number, size: number): void {
    const bytes = aligned(size);
    if (bytes === 0) return;
    this.#holes.push({ offset, bytes });
    this.#holes.sort((a, b) => a.offset - b.offset);
    this.#holes = this.#holes.reduce<Hole[]>((merged, hole) => {
      const before = merged.at(-1);
      if (before && endOf(before) === hole.offset) before.bytes += hole.bytes;
      else merged.push(hole);
      return merged;
    }, []);
    const last = this.#holes.at(-1)!; // there is at least the one that came
    if (endOf(last) < this.end) return;
    this.end = last.offset;
    this.#holes.pop();
  }
}
