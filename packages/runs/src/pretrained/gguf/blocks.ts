import { fromFloat16, INT4_GROUP, toFloat16 } from "@finegrain/graph";
import type { PackedInt4 } from "@finegrain/nn";

/*
 * What tensors of a GGUF file are stored as, and how each becomes float32. Quantised numbers come in blocks, with a scale each, as ggml's
 * `dequantize_row_*` read them (ggml-quants.c).
 */

export interface BlockFormat {
  readonly name: string;
  /** Numbers of a block. */
  readonly count: number;
  /** Bytes of a block. */
  readonly bytes: number;
  /** Write the numbers of the block whose bytes begin at `at` into `out` from `to` on. */
  decode(bytes: Uint8Array, at: number, out: Float32Array, to: number): void;
}

const uint16 = (bytes: Uint8Array, at: number): number => bytes[at]! | (bytes[at + 1]! << 8);
const half = (bytes: Uint8Array, at: number): number => fromFloat16(uint16(bytes, at));
const int8 = (bytes: Uint8Array, at: number): number => (bytes[at]! << 24) >> 24;

/** A float32 of its 32 bits. */
const fromBits = (() => {
  const bits = new Uint32Array(1);
  const number = new Float32Array(bits.buffer);
  return (value: number): number => {
    bits[0] = value;
    return number[0]!;
  };
})();

/** A format of one number a block. */
const plain = (name: string, bytes: number, number: (bytes: Uint8Array, at: number) => number): BlockFormat => ({
  name,
  count: 1,
  bytes,
  decode(from, at, out, to) {
    out[to] = number(from, at);
  },
});

const Q4_0: BlockFormat = {
  name: "Q4_0",
  count: 32,
  bytes: 18,
  decode(bytes, at, out, to) {
    const scale = half(bytes, at);
    nibbles(bytes, at + 2, out, to, scale, -8 * scale);
  },
};

const Q4_1: BlockFormat = {
  name: "Q4_1",
  count: 32,
  bytes: 20,
  decode: (bytes, at, out, to) => nibbles(bytes, at + 4, out, to, half(bytes, at), half(bytes, at + 2)),
};

/** q scale + least, of 32 numbers of 4 bits: those of the lower halves of the bytes at `from`, then those of the upper ones. */
function nibbles(bytes: Uint8Array, from: number, out: Float32Array, to: number, scale: number, least: number): void {
  for (let k = 0; k < 16; k++) {
    const byte = bytes[from + k]!;
    out[to + k] = scale * (byte & 15) + least;
    out[to + 16 + k] = scale * (byte >> 4) + least;
  }
}

const Q5_0: BlockFormat = {
  name: "Q5_0",
  count: 32,
  bytes: 22,
  decode(bytes, at, out, to) {
    const scale = half(bytes, at);
    nibbles(bytes, at + 6, out, to, scale, -16 * scale);
    fifthBits(bytes, at + 2, out, to, scale);
  },
};

const Q5_1: BlockFormat = {
  name: "Q5_1",
  count: 32,
  bytes: 24,
  decode(bytes, at, out, to) {
    const scale = half(bytes, at);
    nibbles(bytes, at + 8, out, to, scale, half(bytes, at + 2));
    fifthBits(bytes, at + 4, out, to, scale);
  },
};

/** Adds what the fifth bits of 32 numbers are worth, which are in the 4 bytes at `from`. */
function fifthBits(bytes: Uint8Array, from: number, out: Float32Array, to: number, scale: number): void {
  for (let k = 0; k < 32; k++) if ((bytes[from + (k >> 3)]! >> (k & 7)) & 1) out[to + k]! += 16 * scale;
}

const Q8_0: BlockFormat = {
  name: "Q8_0",
  count: 32,
  bytes: 34,
  decode(bytes, at, out, to) {
    const scale = half(bytes, at);
    for (let k = 0; k < 32; k++) out[to + k] = scale * int8(bytes, at + 2 + k);
  },
};

/** Two scales of 16 bits; eight scales and minima of 6 bits, for 32 numbers each; 4 bits a number. */
const Q4_K: BlockFormat = {
  name: "Q4_K",
  count: 256,
  bytes: 144,
  decode: (bytes, at, out, to) => scaledByEights(bytes, at, out, to, at + 16, undefined),
};

/** As Q4_K, with the fifth bits of all numbers before the four others. */
const Q5_K: BlockFormat = {
  name: "Q5_K",
  count: 256,
  bytes: 176,
  decode: (bytes, at, out, to) => scaledByEights(bytes, at, out, to, at + 48, at + 16),
};

/** @param four where the lower 4 bits of the numbers are. @param fifth where the fifth are: bit j of byte k is of number 32 j + k. */
function scaledByEights(
  bytes: Uint8Array,
  at: number,
  out: Float32Array,
  to: number,
  four: number,
  fifth: number | undefined,
): void {
  const [ofScales, ofMinima] = [half(bytes, at), half(bytes, at + 2)];
  for (let j = 0; j < 8; j++) {
    const { scale, minimum } = scaleAndMinimum(bytes, at + 4, j);
    const [d, m] = [ofScales * scale, ofMinima * minimum];
    const [from, shift] = [four + 32 * (j >> 1), 4 * (j & 1)]; // two neighbours share their bytes
    for (let k = 0; k < 32; k++) {
      const upper = fifth === undefined ? 0 : ((bytes[fifth + k]! >> j) & 1) << 4;
      out[to + 32 * j + k] = d * (((bytes[from + k]! >> shift) & 15) | upper) - m;
    }
  }
}

/** Number `j` of eight scales and minima of 6 bits in 12 bytes. */
function scaleAndMinimum(bytes: Uint8Array, at: number, j: number): { scale: number; minimum: number } {
  const byte = (k: number) => bytes[at + k]!;
  if (j < 4) return { scale: byte(j) & 63, minimum: byte(j + 4) & 63 };
  return {
    scale: (byte(j + 4) & 15) | ((byte(j - 4) >> 6) << 4),
    minimum: (byte(j + 4) >> 4) | ((byte(j) >> 6) << 4),
  };
}

/** The lower 4 bits of all numbers, the upper 2, a scale of 8 bits for every 16 numbers, and a scale of these. */
const Q6_K: BlockFormat = {
  name: "Q6_K",
  count: 256,
  bytes: 210,
  decode(bytes, at, out, to) {
    const scale = half(bytes, at + 208);
    for (let k = 0; k < 256; k++) {
      const [part, within] = [k >> 7, k & 127];
      const lower = bytes[at + 64 * part + (within & 63)]! >> (within < 64 ? 0 : 4);
      const upper = bytes[at + 128 + 32 * part + (within & 31)]! >> (2 * (within >> 5));
      const number = ((lower & 15) | ((upper & 3) << 4)) - 32;
      out[to + k] = scale * int8(bytes, at + 192 + (k >> 4)) * number;
    }
  },
};

/** The formats that can be read, by ggml's numbers for them. */
export const blockFormats: ReadonlyMap<number, BlockFormat> = new Map([
  [0, plain("F32", 4, (bytes, at) => fromBits(uint16(bytes, at) | (uint16(bytes, at + 2) << 16)))],
  [1, plain("F16", 2, half)],
  [2, Q4_0],
  [3, Q4_1],
  [6, Q5_0],
  [7, Q5_1],
  [8, Q8_0],
  [12, Q4_K],
  [13, Q5_K],
  [14, Q6_K],
  [30, plain("BF16", 2, (bytes, at) => fromBits(uint16(bytes, at) << 16))], // the upper half of a float32
]);

/** Names of the formats that cannot be read. */
export const otherFormats: ReadonlyMap<number, string> = new Map([
  [9, "Q8_1"],
  [10, "Q2_K"],
  [11, "Q3_K"],
  [15, "Q8_K"],
  [16, "IQ2_XXS"],
  [17, "IQ2_XS"],
  [18, "IQ3_XXS"],
  [19, "IQ1_S"],
  [20, "IQ4_NL"],
  [21, "IQ3_S"],
  [22, "IQ2_S"],
  [23, "IQ4_XS"],
  [24, "I8"],
  [25, "I16"],
  [26, "I32"],
  [27, "I64"],
  [28, "F64"],
  [29, "IQ1_M"],
  [34, "TQ1_0"],
  [35, "TQ2_0"],
  [39, "MXFP4"],
]);

/** The numbers of whole blocks. */
export function decodeBlocks(bytes: Uint8Array, { count, bytes: each, decode }: BlockFormat): Float32Array {
  const blocks = bytes.length / each;
  const numbers = new Float32Array(blocks * count);
  for (let block = 0; block < blocks; block++) decode(bytes, block * each, numbers, block * count);
  return numbers;
}

/** Whether a format is that of nn's int4, but for where scales are: 32 numbers of 4 bits, with a scale and a minimum. */
export const isInt4 = (format: BlockFormat): boolean => format === Q4_0 || format === Q4_1;

/** The numbers of whole blocks of such a format, as they are. Q4_0 counts from -8 scales. */
export function int4Rows(bytes: Uint8Array, format: BlockFormat): PackedInt4 {
  const count = bytes.length / format.bytes;
  const [scales, minima] = [new Uint16Array(count), new Uint16Array(count)];
  const ofBlock = INT4_GROUP / 2;
  const numbers = new Uint8Array(count * ofBlock);
  const head = format.bytes - ofBlock;
  for (let block = 0, at = 0; block < count; block++, at += format.bytes) {
    scales[block] = uint16(bytes, at);
    minima[block] = format === Q4_1 ? uint16(bytes, at + 2) : toFloat16(-8 * half(bytes, at));
    numbers.set(bytes.subarray(at + head, at + format.bytes), block * ofBlock);
  }
  return { words: new Int32Array(numbers.buffer), scales, minima };
}
