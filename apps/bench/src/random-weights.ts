import { type HostTensor, hostTensor, philox, type Shape, size } from "@finegrain/graph";

/** Numbers that are drawn; a longer tensor repeats them. A prime, so that no row or column of a matrix equals another. */
const PERIOD = 65537;
/** Second counter word of the draws. */
const WEIGHT_DRAW = 0x77656967;

/**
 * Uniform noise of a standard deviation, float32: good for timing, quick for hundreds of millions of numbers.
 */
export function repeatedNoise(shape: Shape, deviation: number, seed = 0): HostTensor {
  const data = new Float32Array(size(shape));
  const length = Math.min(PERIOD, data.length);
  const bits = philox([seed, 0], [0, WEIGHT_DRAW], length);
  const reach = deviation * Math.sqrt(3); // of a uniform distribution with that deviation
  for (let k = 0; k < length; k++) data[k] = (bits[k]! / 2 ** 31) * reach;
  for (let filled = length; filled < data.length; filled *= 2) data.copyWithin(filled, 0, filled);
  return hostTensor("float32", shape, data);
}
