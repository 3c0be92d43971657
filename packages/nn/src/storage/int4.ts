import {
  cast,
  fromFloat16,
  fromInt4,
  fromInt4Inputs,
  type HostTensor,
  hostTensor,
  INT4_GROUP,
  INT4_WORD,
  type Shape,
  toFloat16,
  transpose,
} from "@finegrain/graph";
import type { Param } from "../layer.ts";
import type { Form, Parts } from "./form.ts";

const [SCALE, MIN] = [".scale", ".min"];
/** The largest number of 4 bits. */
const LARGEST = 15;
/** In the middle of 4 bits: Q4_0's zero. */
const MIDDLE = 8;

/**
 * As `fromInt4` has them: q * scale + min, with float16 scales and minima of 32 weights that a product sums one after the other. A matrix
 * [in, out] is stored [out, in]. Of the grids between which GGUF's files choose, a group has the nearer one: from its least number to its largest,
 * as Q4_1, or around 0, as Q4_0. So a group that comes from such a file stays as it is, where it has the ends of its grid, as llama.cpp makes them
 * without an importance matrix. A matrix whose inputs are often 0 lies input by input, as `fromInt4Inputs` has it.
 */
export const int4: Form = {
  fits: (parameter) => rowsOf(parameter).at(-1)! % INT4_GROUP === 0,
  types(parameter) {
    const { words, groups } = isByInput(parameter) ? shapesByInput(parameter) : shapesOf(parameter);
    return {
      "": { dtype: "int32", shape: words },
      [SCALE]: { dtype: "float16", shape: groups },
      [MIN]: { dtype: "float16", shape: groups },
    };
  },
  store(value, parameter) {
    const packed = pack(isTurned(parameter) ? turned(value) : value.data);
    const shape = rowsOf(parameter);
    return isByInput(parameter) ? partsByInput(shape, packed) : int4Parts(shape, packed);
  },
  restore(parts, parameter) {
    const [scale, min] = [parts[SCALE]!, parts[MIN]!].map((part) => cast(part, "float32"));
    if (isByInput(parameter)) {
      const inputs = fromInt4Inputs(parts[""]!, scale!, min!);
      return isTurned(parameter) ? inputs : transpose(inputs, [1, 0]);
    }
    const rows = fromInt4(parts[""]!, scale!, min!);
    return isTurned(parameter) ? transpose(rows, [1, 0]) : rows;
  },
};

/** Numbers of 4 bits in groups, as `fromInt4` has them: bits of float16 in scales and minima. */
export interface PackedInt4 {
  readonly words: Int32Array;
  readonly scales: Uint16Array;
  readonly minima: Uint16Array;
}

/**
 * Weights that lie in this form, of a shape [..., K]: words int32 [..., K / 8], scales and minima float16 [..., K / 32].
 * @param shape K is a multiple of 32.
 */
export function int4Parts(shape: Shape, { words, scales, minima }: PackedInt4): Parts<HostTensor> {
  const length = shape.at(-1)!; // a matrix
  const groups = shape.with(-1, length / INT4_GROUP);
  return {
    "": hostTensor("int32", shape.with(-1, length / INT4_WORD), words),
    [SCALE]: hostTensor("float16", groups, scales),
    [MIN]: hostTensor("float16", groups, minima),
  };
}

const isTurned = ({ rows, shape }: Param): boolean => rows === "inputs" && shape.length === 2;

/** Whether the weights of each input lie side by side, so that those of inputs that are 0 need not be read: see `fromInt4Inputs`. */
const isByInput = (parameter: Param): boolean =>
  parameter.skipsZeros === true && parameter.shape.length === 2 && rowsOf(parameter)[0]! % INT4_GROUP === 0;

/** The shape in which groups lie one after the other. */
const rowsOf = (parameter: Param): Shape => (isTurned(parameter) ? parameter.shape.toReversed() : parameter.shape);

function shapesOf(parameter: Param): { words: Shape; groups: Shape } {
  const rows = rowsOf(parameter);
  const length = rows.at(-1)!;
  return { words: rows.with(-1, length / INT4_WORD), groups: rows.with(-1, length / INT4_GROUP) };
}

function shapesByInput(parameter: Param): { words: Shape; groups: Shape } {
  const [outputs, inputs] = rowsOf(parameter) as [number, number];
  return { words: [inputs, outputs / INT4_WORD], groups: [inputs / INT4_GROUP, outputs] };
}

/** Bytes of a group's numbers of 4 bits. */
const GROUP_BYTES = INT4_GROUP / 2;

/** Rows of weights [out, in], packed, as they lie input by input. */
function partsByInput([outputs, inputs]: Shape, packed: PackedInt4): Parts<HostTensor> {
  const groups = inputs! / INT4_GROUP;
  const from = new Uint8Array(packed.words.buffer, packed.words.byteOffset, packed.words.byteLength);
  const to = new Uint8Array(from.length);
  const inputBytes = outputs! / 2;
  // Of a group the first 16 numbers are the low halves of its bytes, the others the high ones.
  for (let group = 0; group < groups; group++)
    for (let output = 0; output < outputs!; output++) {
      const place = (output >> 5) * GROUP_BYTES + (output & 15);
      const shift = (output >> 4) & 1 ? 4 : 0;
      for (let k = 0; k < GROUP_BYTES; k++) {
        const pair = from[(output * groups + group) * GROUP_BYTES + k]!;
        const at = (group * INT4_GROUP + k) * inputBytes + place;
        to[at]! |= (pair & 15) << shift;
        to[at + GROUP_BYTES * inputBytes]! |= (pair >> 4) << shift;
      }
    }
  const columns = (values: Uint16Array) =>
    Uint16Array.from(values, (_, i) => values[(i % outputs!) * groups + Math.floor(i / outputs!)]!);
  const shape = [groups, outputs!];
  return {
    "": hostTensor("int32", [inputs!, outputs! / INT4_WORD], new Int32Array(to.buffer)),
    [SCALE]: hostTensor("float16", shape, columns(packed.scales)),
    [MIN]: hostTensor("float16", shape, columns(packed.minima)),
  };
}

/** Columns that are turned together. */
const STRIP = 32;

/** The numbers of a matrix, column by column. */
function turned({ shape, data }: HostTensor): Float32Array {
  const [rows, columns] = shape as [number, number];
  const result = new Float32Array(data.length);
  // In strips of columns, so that what is written stays near.
  for (let from = 0; from < columns; from += STRIP)
    for (let row = 0; row < rows; row++)
      for (let column = from; column < Math.min(columns, from + STRIP); column++)
        result[column * rows + row] = data[row * columns + column]!;
  return result;
}

/** Where a group's numbers may lie: float16 bits, and the numbers that those are. */
interface Grid {
  readonly scaleBits: number;
  readonly minBits: number;
  readonly scale: number;
  readonly min: number;
}

function grid(scale: number, min: (scale: number) => number): Grid {
  const scaleBits = toFloat16(scale);
  const minBits = toFloat16(min(fromFloat16(scaleBits)));
  return { scaleBits, minBits, scale: fromFloat16(scaleBits), min: fromFloat16(minBits) };
}

/** What is off by less than this part of a step, in the mean, is so by rounding: the group lies on that grid. */
const ROUNDING = 1e-3;

function pack(data: HostTensor["data"]): PackedInt4 {
  const count = data.length / INT4_GROUP;
  const words = new Int32Array(data.length / INT4_WORD);
  const [scales, minima] = [new Uint16Array(count), new Uint16Array(count)];
  const group = new Float64Array(INT4_GROUP);
  const [near, other] = [new Uint8Array(INT4_GROUP), new Uint8Array(INT4_GROUP)];
  for (let i = 0; i < count; i++) {
    let [least, largest] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (let k = 0; k < INT4_GROUP; k++) {
      const x = data[i * INT4_GROUP + k]!;
      group[k] = x;
      // What is no number goes into both, where it shows.
      least = Math.min(least, x);
      largest = Math.max(largest, x);
    }
    let [best, q] = [grid((largest - least) / LARGEST, () => least), near];
    const off = quantize(group, best, near);
    if (off > INT4_GROUP * (ROUNDING * best.scale) ** 2) {
      const around = grid((largest > -least ? largest : least) / -MIDDLE, (scale) => -MIDDLE * scale);
      if (quantize(group, around, other) < off) [best, q] = [around, other];
    }
    scales[i] = best.scaleBits;
    minima[i] = best.minBits;
    for (let j = 0; j < INT4_GROUP / 2; j++)
      words[(i * INT4_GROUP) / INT4_WORD + (j >> 2)]! |= (q[j]! | (q[j + INT4_GROUP / 2]! << 4)) << (8 * (j & 3));
  }
  return { words, scales, minima };
}

/** The nearest places of a group's numbers on a grid. @returns the sum of the squares of what they are off. */
function quantize(group: Float64Array, { scale, min }: Grid, to: Uint8Array): number {
  const places = scale === 0 ? 0 : 1 / scale;
  let off = 0;
  for (let k = 0; k < INT4_GROUP; k++) {
    const x = group[k]!;
    const place = (x - min) * places + 0.5;
    const q = place <= 0 ? 0 : place >= LARGEST ? LARGEST : place | 0;
    to[k] = q;
    const error = q * scale + min - x;
    off += error * error;
  }
  return off;
}
