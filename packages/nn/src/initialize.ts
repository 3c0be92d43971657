import { type HostTensor, hostTensor, philox, type Shape, size, uniformFromBits } from "@finegrain/graph";
import { type Init, sinusoidTable } from "./init.ts";
import { leaves, type Param, type Params } from "./layer.ts";

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
