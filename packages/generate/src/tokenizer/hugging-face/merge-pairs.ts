/** The merges of a byte-pair encoding. */
export interface Merges {
  /** The rank of a pair of tokens, by left * idLimit + right. */
  readonly ranks: ReadonlyMap<number, number>;
  /** What the pair of each rank becomes. */
  readonly results: Int32Array;
  /** One more than the largest id. */
  readonly idLimit: number;
}

/** More symbols than a text can have, so that a rank and a position fit in one float64. */
const POSITIONS = 2 ** 29;
const NONE = -1;
/** In the place of a symbol that was joined to the one before it. */
const GONE = -1;

/**
 * Join the pair of the lowest rank, the leftmost first, until none is left. Symbols are a list that is linked both ways;
 * a heap holds the pairs, by rank and position, and may hold some that are gone.
 *
 * @param symbols the tokens of single characters, int32 [symbols]; written over.
 * @returns the tokens that are left, int32 [tokens].
 */
export function mergePairs(symbols: Int32Array, { ranks, results, idLimit }: Merges): Int32Array {
  const count = symbols.length;
  if (count < 2) return symbols;
  const previous = Int32Array.from(symbols, (_, k) => k - 1);
  const next = Int32Array.from(symbols, (_, k) => (k + 1 < count ? k + 1 : NONE));
  const rankAt = (left: number, right: number) => ranks.get(symbols[left]! * idLimit + symbols[right]!);
  const heap = newHeap(count);
  const offer = (left: number, right: number) => {
    if (left === NONE || right === NONE) return;
    const rank = rankAt(left, right);
    if (rank !== undefined) heap.push(rank * POSITIONS + left);
  };
  for (let k = 0; k + 1 < count; k++) offer(k, k + 1);
  for (let top = heap.pop(); top !== undefined; top = heap.pop()) {
    const left = top % POSITIONS;
    const right = next[left]!;
    if (symbols[left] === GONE || right === NONE) continue;
    const result = results[(top - left) / POSITIONS]!;
    const rank = rankAt(left, right);
    if (rank === undefined || results[rank] !== result) continue; // one of the two was joined to another meanwhile
    symbols[left] = result;
    symbols[right] = GONE;
    const after = next[right]!;
    next[left] = after;
    if (after !== NONE) previous[after] = left;
    offer(previous[left]!, left);
    offer(left, after);
  }
  return symbols.filter((id) => id !== GONE);
}

/** A heap of numbers that gives the smallest first. */
function newHeap(capacity: number): { push(key: number): void; pop(): number | undefined } {
  let keys = new Float64Array(capacity);
  let length = 0;
  return {
    push(key) {
      if (length === keys.length) {
        const grown = new Float64Array(2 * length);
        grown.set(keys);
        keys = grown;
      }
      let at = length++;
      while (at > 0) {
        const parent = (at - 1) >> 1;
        if (keys[parent]! <= key) break;
        keys[at] = keys[parent]!;
        at = parent;
      }
      keys[at] = key;
    },
    pop() {
      if (length === 0) return undefined;
      const top = keys[0]!;
      const key = keys[--length]!;
      let at = 0;
      for (;;) {
        let child = 2 * at + 1;
        if (child >= length) break;
        if (child + 1 < length && keys[child + 1]! < keys[child]!) child++;
        if (keys[child]! >= key) break;
        keys[at] = keys[child]!;
        at = child;
      }
      keys[at] = key;
      return top;
    },
  };
}
