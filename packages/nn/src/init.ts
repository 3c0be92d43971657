import { type HostTensor, hostTensor, philox, type Shape, size, uniformFromBits } from "@finegrain/graph";
import { leaves, type Param, type Params } from "./layer.ts";

/** How a parameter starts. Data, so that a parameter can be compared and printed. */
export type Init =
  | { readonly kind: "constant"; readonly value: number }
  | { readonly kind: "uniform"; readonly limit: number }
  | { readonly kind: "normal"; readonly std: number }
  | { readonly kind: "sinusoid" };

export const zeros: Init = { kind: "constant", value: 0 };
export const ones: Init = { kind: "constant", value: 1 };
export const normal = (std: number): Init => ({ kind: "normal", std });
/** Keeps the variance of a product with a matrix, forwards and backwards, `gain` times. Glorot and Bengio 2010. */
export const glorot = (fanIn: number, fanOut: number, gain = 1): Init => ({
  kind: "uniform",
  limit: gain * Math.sqrt(6 / (fanIn + fanOut)),
});
/** Rows are positions: see {@link sinusoidTable}. */
export const sinusoid: Init = { kind: "sinusoid" };

/**
 * First values of every parameter by its path. The same for a seed on every machine, and for a path whatever other
 * parameters a model has.
 *
 * @param seed an integer of up to 53 bits.
 */
export function initialize(params: Params, seed: number): Map<string, HostTensor> {
  const key = seedKey(seed);
  return new Map(leaves<Param>(params).map(([path, { shape, init }]) => [path, draw(shape, init, key, path)]));
}

/** The Philox key of a seed: its low and high words. */
export const seedKey = (seed: number): readonly [number, number] => [seed | 0, Math.floor(seed / 2 ** 32) | 0];

function draw(shape: Shape, init: Init, key: readonly [number, number], path: string): HostTensor {
  const length = size(shape);
  const bits = (words: number) => philox(key, [hash(path), INITIALISATION], words);
  const values = (): Float32Array => {
    switch (init.kind) {
      case "constant":
        return new Float32Array(length).fill(init.value);
      case "sinusoid":
        return sinusoidTable(shape[0]!, shape[1]!);
      case "uniform":
        return symmetric(bits(length), init.limit);
      case "normal":
        return gaussian(bits(length + (length % 2)), length, init.std);
    }
  };
  return hostTensor("float32", shape, values());
}

/** Second counter word of these draws: a training step's draws count up from 0. */
const INITIALISATION = -1;

/** Uniform in (-limit, limit). */
function symmetric(bits: Int32Array, limit: number): Float32Array {
  const values = new Float32Array(bits.length);
  for (let i = 0; i < values.length; i++) values[i] = limit * (2 * uniformFromBits(bits[i]!) - 1);
  return values;
}

/** Box and Muller 1958: two normal numbers from every two uniform ones. */
function gaussian(bits: Int32Array, length: number, std: number): Float32Array {
  const values = new Float32Array(length);
  for (let i = 0; i < length; i += 2) {
    const radius = std * Math.sqrt(-2 * Math.log(uniformFromBits(bits[i]!)));
    const angle = 2 * Math.PI * uniformFromBits(bits[i + 1]!);
    values[i] = radius * Math.cos(angle);
    if (i + 1 < length) values[i + 1] = radius * Math.sin(angle);
  }
  return values;
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h;
}

/** Angular rate of column i of the sinusoids: columns 2j and 2j + 1 share 10000^(-2j / width). */
export const sinusoidRate = (column: number, width: number): number => 10000 ** (-(column - (column % 2)) / width);

/** Vaswani et al. 2017, 3.5: sin(position rate) in even columns, cos in odd ones. Row-major [length, width]. */
export const sinusoidTable = (length: number, width: number): Float32Array =>
  Float32Array.from({ length: length * width }, (_, k) => {
    const column = k % width;
    const angle = Math.floor(k / width) * sinusoidRate(column, width);
    return column % 2 === 0 ? Math.sin(angle) : Math.cos(angle);
  });
