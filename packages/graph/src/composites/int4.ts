// Weights of 4 bits, and products with them. Axes: R rows of weights, K numbers of a row, G = K / 32 groups of a row, T rows of x.

import { type CaseInput, f32, i32 } from "../cases.ts";
import { ShapeError } from "../errors.ts";
import { type CompositeOp, defineComposite, expectDtype } from "../op.ts";
import { abs } from "../ops/abs.ts";
import { add } from "../ops/add.ts";
import { cast } from "../ops/cast.ts";
import { concat } from "../ops/concat.ts";
import { div } from "../ops/div.ts";
import { einsum } from "../ops/einsum.ts";
import { floor } from "../ops/floor.ts";
import { max } from "../ops/max.ts";
import { mul } from "../ops/mul.ts";
import { reduceMax } from "../ops/reduce-max.ts";
import { reshape } from "../ops/reshape.ts";
import { shiftRight } from "../ops/shift-right.ts";
import { sub } from "../ops/sub.ts";
import { byteSize, type Shape, sameShape, size, type Tensor, type TensorType, typeName } from "../tensor.ts";

/** Weights that share a scale and a minimum: a group, as in GGUF's Q4_0 and Q4_1. */
export const INT4_GROUP = 32;
/** Weights of 4 bits in an int32. */
export const INT4_WORD = 8;
const WORDS = INT4_GROUP / INT4_WORD;
/** What the largest magnitude of a group of x becomes: of an int8, the largest that has a negative. */
export const INT8_LARGEST = 127;
/** In place of the step of a group of zeros. */
export const INT8_LEAST_STEP = 1e-30;

/**
 * Weights of 4 bits as numbers, q * scale + min with q in 0..15. A group's 32 q are four words: of byte j (the lowest of the first word is byte
 * 0) the low half is q[j], the high half q[j + 16], as in GGUF's files.
 *
 *   words    int32    [r..., K / 8]
 *   scale    float32  [r..., G]
 *   min      float32  [r..., G]
 *   returns  float32  [r..., K]
 */
export const fromInt4: CompositeOp<[words: Tensor, scale: Tensor, min: Tensor]> = defineComposite({
  name: "fromInt4",
  infer: ([words, scale, min]) => ({ dtype: "float32", shape: unpackedShape("fromInt4", words, scale, min) }),
  decompose([words, scale, min]) {
    const rows = scale.shape;
    const halves = [0, 4].map((half) =>
      concat(
        ...[0, 8, 16, 24].map((byte) => reshape(bits(words, byte + half), [...rows, 1, WORDS, 1])),
        { axis: rows.length + 2 }, // bytes of a word side by side
      ),
    ) as [Tensor, Tensor];
    const q = reshape(cast(concat(...halves, { axis: rows.length }), "float32"), [...rows, INT4_GROUP]);
    const numbers = add(mul(q, reshape(scale, [...rows, 1])), reshape(min, [...rows, 1]));
    return reshape(numbers, [...rows.slice(0, -1), rows.at(-1)! * INT4_GROUP]);
  },
  vjp: null,
  cost: (inputs, _, out) => ({ flops: 2 * size(out.shape), bytes: bytesOf(...inputs, out) }),
  cases: [packed([3], 2), packed([], 1), packed([2, 2], 3)],
  sample: (draw) => packed(draw.shape(0, 2), draw.integer(1, 3)),
});

/**
 * A product with weights of 4 bits, for which x is rounded to 8 bits: in groups of 32, whose largest magnitude becomes 127, as llama.cpp does it
 * with GGUF's Q4_1. So it is whole numbers that are multiplied.
 *
 *   x                  float32  [T, K]
 *   words, scale, min           of {@link fromInt4}, [R, ...]
 *   returns            float32  [T, R]
 */
export const int4Product: CompositeOp<[x: Tensor, words: Tensor, scale: Tensor, min: Tensor]> = defineComposite({
  name: "int4Product",
  infer([x, words, scale, min]) {
    const [rows, length, ...more] = unpackedShape("int4Product", words, scale, min);
    expectDtype("int4Product", x, "float32");
    if (more.length > 0 || length === undefined || x.shape.length !== 2 || x.shape[1] !== length)
      throw new ShapeError(`int4Product: ${typeName(x)} does not fit weights ${typeName(words)} of 4 bits`);
    return { dtype: "float32", shape: [x.shape[0]!, rows!] };
  },
  decompose: ([x, words, scale, min]) => einsum(roundedTo8Bits(x), fromInt4(words, scale, min), "T K, R K -> T R"),
  vjp: null,
  cost: (inputs, _, out) => ({ flops: 2 * size(out.shape) * inputs[0].shape[1]!, bytes: bytesOf(...inputs, out) }),
  cases: [product(1, 5, 2), product(3, 4, 1), product(1, 9, 7), product(5, 130, 1)],
  sample: (draw) => product(draw.integer(1, 9), draw.integer(1, 12), draw.integer(1, 6)),
});

/** Four bits of each int32, from a lowest one. */
function bits(words: Tensor, lowest: number): Tensor {
  const rest = lowest === 0 ? words : shiftRight(words, { bits: lowest });
  return sub(rest, mul(shiftRight(rest, { bits: 4 }), 16));
}

/** Each group of 32 as whole multiples of a 127th of its largest magnitude. */
export function roundedTo8Bits(x: Tensor): Tensor {
  const [rows, length] = x.shape as [number, number];
  const groups = reshape(x, [rows, length / INT4_GROUP, INT4_GROUP]);
  const step = div(reduceMax(abs(groups), { axes: [2], keepDims: true }), INT8_LARGEST);
  const whole = floor(add(div(groups, max(step, INT8_LEAST_STEP)), 0.5));
  return reshape(mul(whole, step), x.shape);
}

/** @throws ShapeError where words, scales and minima are not of the same weights. */
function unpackedShape(op: string, words: TensorType, scale: TensorType, min: TensorType): Shape {
  expectDtype(op, words, "int32");
  expectDtype(op, scale, "float32");
  expectDtype(op, min, "float32");
  const [rows, groups] = [scale.shape.slice(0, -1), scale.shape.at(-1)];
  if (groups === undefined || !sameShape(words.shape, [...rows, groups * WORDS]) || !sameShape(min.shape, scale.shape))
    throw new ShapeError(
      `${op}: ${typeName(words)} with scales ${typeName(scale)} and minima ${typeName(min)} are no weights of 4 bits`,
    );
  return [...rows, groups * INT4_GROUP];
}

const bytesOf = (...types: readonly TensorType[]): number => types.reduce((sum, type) => sum + byteSize(type), 0);

/** Types of `groups` groups in every row. */
function packed(rows: readonly number[], groups: number): [CaseInput, CaseInput, CaseInput] {
  const ofGroup = f32(...rows, groups);
  return [i32([...rows, groups * WORDS], 2 ** 31, -(2 ** 31)), ofGroup, ofGroup];
}

function product(count: number, rows: number, groups: number): [CaseInput, CaseInput, CaseInput, CaseInput] {
  return [f32(count, groups * INT4_GROUP), ...packed([rows], groups)];
}
