/** Tokens that a run of a prompt takes, longest first: every prompt is read in these, so few graphs are compiled. */
const SIZES = [256, 64, 8, 1] as const;
/** A run may read so many tokens again. */
const MOST_AGAIN = 32;

/** A run of a prompt: its first token, and how many it takes. */
export interface Piece {
  readonly from: number;
  readonly size: number;
}

/** How a prompt may be read. */
export interface Reading {
  /** Whether tokens can be read again in their places. */
  readonly again: boolean;
  /** The most tokens of a run. */
  readonly longest: number;
}

/**
 * The runs in which so many tokens are read, in order: the largest that fits first. One that is longer than what is left fits too, and begins as much
 * earlier, where that reads at most half of its tokens and {@link MOST_AGAIN} again.
 */
export function piecesOf(count: number, { again, longest }: Reading): Piece[] {
  const pieces: Piece[] = [];
  for (let at = 0; at < count; ) {
    const left = count - at;
    const fits = (size: number): boolean =>
      size <= longest && (size <= left || (again && size <= count && size - left <= Math.min(size / 2, MOST_AGAIN)));
    const size = SIZES.find(fits)!; // the last is 1
    const from = Math.min(at, count - size);
    pieces.push({ from, size });
    at = from + size;
  }
  return pieces;
}
