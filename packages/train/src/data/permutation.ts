import { philox } from "@finegrain/graph";
import { seedKey } from "@finegrain/nn";

const ROUNDS = 6;

/**
 * A pseudo-random permutation of 0 .. size - 1 that is computed at any index in constant time and no memory: a Feistel
 * network over the next power of four, walked along its cycle until it lands inside (Black and Rogaway, "Ciphers with
 * Arbitrary Finite Domains", CT-RSA 2002). Two different `counter` values (epochs) of a seed give unrelated permutations.
 *
 * @param size from 1 to 2^30.
 */
export function permutation(size: number, seed: number, counter: number): (index: number) => number {
  const halfBits = Math.max(1, Math.ceil(Math.log2(size) / 2));
  const mask = 2 ** halfBits - 1;
  const keys = philox(seedKey(seed), [counter, PERMUTATION_DRAW], ROUNDS);
  const encrypt = (index: number): number => {
    let left = index >>> halfBits;
    let right = index & mask;
    for (let round = 0; round < ROUNDS; round++) {
      [left, right] = [right, left ^ (mix(right ^ keys[round]!) & mask)];
    }
    return left * (mask + 1) + right;
  };
  return (index) => {
    let image = encrypt(index);
    while (image >= size) image = encrypt(image);
    return image;
  };
}

/** Second counter words of the draws that the data makes, so that they do not coincide. */
const PERMUTATION_DRAW = 0x7065726d;

/** The finalizer of MurmurHash3: every bit of the argument changes every bit of the result. */
function mix(bits: number): number {
  let h = bits;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
