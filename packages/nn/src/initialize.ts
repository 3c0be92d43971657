import {
  atOnce,
  type HostTensor,
  hostTensor,
  philox,
  type Shape,
  size,
  type Turns,
  uniformFromBits,
} from "@finegrain/graph";
import { type Init, sinusoidTable } from "./init.ts";
import { leaves, type Param, type Params } from "./layer.ts";

/**
 * First values of every parameter by its path. The same for a seed on every machine, and for a path whatever other
 * parameters a model has.
 *
 * @param seed an integer of up to 53 bits.
 */
export const initialize = (params: Params, seed: number): Map<string, HostTensor> => atOnce(initializing(params, seed));

/** The same, in turns. */
export function* initializing(params: Params, seed: number): Turns<Map<string, HostTensor>> {
  const values = new Map<string, HostTensor>();
  for (const [path, { shape, init }] of leaves<Param>(params))
    values.set(path, hostTensor("float32", shape, yield* draw(shape, init, seedKey(seed), path)));
  return values;
}

/** The Philox key of a seed: its low and high words. */
export const seedKey = (seed: number): readonly [number, number] => [seed | 0, Math.floor(seed / 2 ** 32) | 0];

/** Numbers that are drawn in a step, a multiple of 4. */
const AT_ONCE = 2 ** 16;

function* draw(shape: Shape, init: Init, key: readonly [number, number], path: string): Turns<Float32Array> {
  const length = size(shape);
  if (init.kind === "constant") return new Float32Array(length).fill(init.value);
  if (init.kind === "sinusoid") return sinusoidTable(shape[0]!, shape[1]!);
  const values = new Float32Array(length);
  for (let from = 0; from < length; from += AT_ONCE) {
    const part = values.subarray(from, from + AT_ONCE);
    const bits = philox(key, [hash(path), INITIALISATION], part.length + (part.length % 2), from);
    if (init.kind === "uniform") symmetric(bits, init.limit, part);
    else gaussian(bits, init.std, part);
    yield;
  }
  return values;
}

/** Second counter word of these draws: a training step's draws count up from 0. */
const INITIALISATION = -1;

/** Uniform in (-limit, limit). */
function symmetric(bits: Int32Array, limit: number, values: Float32Array): void {
  for (let i = 0; i < values.length; i++) values[i] = limit * (2 * uniformFromBits(bits[i]!) - 1);
}

/** Box and Muller 1958: two normal numbers from every two uniform ones. */
function gaussian(bits: Int32Array, std: number, values: Float32Array): void {
  for (let i = 0; i < values.length; i += 2) {
    const radius = std * Math.sqrt(-2 * Math.log(uniformFromBits(bits[i]!)));
    const angle = 2 * Math.PI * uniformFromBits(bits[i + 1]!);
    values[i] = radius * Math.cos(angle);
    if (i + 1 < values.length) values[i + 1] = radius * Math.sin(angle);
  }
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h;
}
