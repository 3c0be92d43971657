/**
 * Philox 4x32-10, a counter-based generator: Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3" (SC 2011).
 * Element k of a draw is word k mod 4 of the block whose 128-bit counter is (k div 4, counter[0], counter[1], 0).
 */
// As int32, so that no sum below leaves the integers.
const MULTIPLIER_0 = 0xd2511f53 | 0;
const MULTIPLIER_1 = 0xcd9e8d57 | 0;
const WEYL_0 = 0x9e3779b9 | 0;
const WEYL_1 = 0xbb67ae85 | 0;
const ROUNDS = 10;

/** High 32 bits of the product of two unsigned 32-bit integers, from 16-bit halves: int32 arithmetic alone is fast. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const lowHigh = Math.imul(aLow, bHigh);
  const highLow = Math.imul(aHigh, bLow);
  const middle = (Math.imul(aLow, bLow) >>> 16) + (lowHigh & 0xffff) + (highLow & 0xffff);
  return (Math.imul(aHigh, bHigh) + (lowHigh >>> 16) + (highLow >>> 16) + (middle >>> 16)) | 0;
}

/** One block: four int32 words into `out` from `offset` on. */
function block(
  c0: number,
  c1: number,
  c2: number,
  c3: number,
  k0: number,
  k1: number,
  out: Int32Array,
  offset: number,
): void {
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = multiplyHigh(MULTIPLIER_0, c0);
    const low0 = Math.imul(MULTIPLIER_0, c0);
    const high1 = multiplyHigh(MULTIPLIER_1, c2);
    const low1 = Math.imul(MULTIPLIER_1, c2);
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    k0 = (k0 + WEYL_0) | 0;
    k1 = (k1 + WEYL_1) | 0;
  }
  out[offset] = c0;
  out[offset + 1] = c1;
  out[offset + 2] = c2;
  out[offset + 3] = c3;
}

/**
 * `length` random int32.
 *   key      two 32-bit words: the seed
 *   counter  two 32-bit words: which draw (step and number of the draw in it)
 *   first    which element of the draw they begin with, a multiple of 4
 */
export function philox(key: ArrayLike<number>, counter: ArrayLike<number>, length: number, first = 0): Int32Array {
  const words = new Int32Array(Math.ceil(length / 4) * 4);
  for (let k = 0; k < words.length; k += 4)
    block((first + k) >>> 2, counter[0]! | 0, counter[1]! | 0, 0, key[0]! | 0, key[1]! | 0, words, k);
  return words.subarray(0, length);
}

/**
 * The 23-bit uniform in the open interval (0, 1) that a random int32 stands for, exact in float32: with the half unit that
 * is all of its 24 bits, and one bit more would round the largest to 1.
 */
export const uniformFromBits = (bits: number): number => ((bits >>> 9) + 0.5) / 8388608;
