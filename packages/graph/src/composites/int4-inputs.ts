// Weights of 4 bits that lie input by input. Axes: K inputs, R rows of weights, that is, outputs, T rows of x.

import { type CaseInput, f32, i32 } from "../cases.ts";
import { ShapeError } from "../errors.ts";
import { type CompositeOp, defineComposite, expectDtype } from "../op.ts";
import { add } from "../ops/add.ts";
import { broadcastTo } from "../ops/broadcast-sum.ts";
import { constant } from "../ops/constant.ts";
import { einsum } from "../ops/einsum.ts";
import { mul } from "../ops/mul.ts";
import { reshape } from "../ops/reshape.ts";
import { byteSize, type Shape, sameShape, size, type Tensor, type TensorType, typeName } from "../tensor.ts";
import { fromInt4, INT4_GROUP, INT4_WORD, roundedTo8Bits } from "./int4.ts";

/**
 * Weights of 4 bits as numbers, q * scale + min. Groups of 32 inputs share a scale and a minimum, as those of `fromInt4`; but the q of one input
 * lie side by side, 32 outputs after the other, as those of a group do there. So an input that is 0 can be passed over.
 *
 *   words    int32    [K, R / 8]
 *   scale    float32  [K / 32, R]
 *   min      float32  [K / 32, R]
 *   returns  float32  [K, R]
 */
export const fromInt4Inputs: CompositeOp<[words: Tensor, scale: Tensor, min: Tensor]> = defineComposite({
  name: "fromInt4Inputs",
  infer: ([words, scale, min]) => ({ dtype: "float32", shape: unpackedShape("fromInt4Inputs", words, scale, min) }),
  decompose([words, scale, min]) {
    const [groups, rows] = scale.shape as [number, number];
    const inputs = groups * INT4_GROUP;
    const everywhere = (value: number) =>
      broadcastTo(constant({ dtype: "float32", shape: [], data: [value] }), [inputs, rows / INT4_GROUP]);
    const q = reshape(fromInt4(words, everywhere(1), everywhere(0)), [groups, INT4_GROUP, rows]);
    const ofGroup = (x: Tensor) => reshape(x, [groups, 1, rows]);
    return reshape(add(mul(q, ofGroup(scale)), ofGroup(min)), [inputs, rows]);
  },
  vjp: null,
  cost: (inputs, _, out) => ({ flops: 2 * size(out.shape), bytes: bytesOf(...inputs, out) }),
  cases: [packed(1, 1), packed(2, 3)],
  sample: (draw) => packed(draw.integer(1, 3), draw.integer(1, 3)),
});

/**
 * A product with weights of 4 bits, for which x is rounded to 8 bits as by `int4Product`. Of inputs that are 0 no weights need be read.
 *
 *   x                  float32  [T, K]
 *   words, scale, min           of {@link fromInt4Inputs}
 *   returns            float32  [T, R]
 */
export const int4InputsProduct: CompositeOp<[x: Tensor, words: Tensor, scale: Tensor, min: Tensor]> = defineComposite({
  name: "int4InputsProduct",
  infer([x, words, scale, min]) {
    const [inputs, rows] = unpackedShape("int4InputsProduct", words, scale, min) as [number, number];
    expectDtype("int4InputsProduct", x, "float32");
    if (x.shape.length !== 2 || x.shape[1] !== inputs)
      throw new ShapeError(`int4InputsProduct: ${typeName(x)} does not fit weights ${typeName(words)} of 4 bits`);
    return { dtype: "float32", shape: [x.shape[0]!, rows] };
  },
  decompose: ([x, words, scale, min]) =>
    einsum(roundedTo8Bits(x), fromInt4Inputs(words, scale, min), "T K, K R -> T R"),
  vjp: null,
  cost: (inputs, _, out) => ({ flops: 2 * size(out.shape) * inputs[0].shape[1]!, bytes: bytesOf(...inputs, out) }),
  cases: [product(1, 2, 3), product(3, 1, 1), product(5, 1, 2)],
  sample: (draw) => product(draw.integer(1, 9), draw.integer(1, 4), draw.integer(1, 4)),
});

/** @throws ShapeError where words, scales and minima are not of the same weights. */
function unpackedShape(op: string, words: TensorType, scale: TensorType, min: TensorType): Shape {
  expectDtype(op, words, "int32");
  expectDtype(op, scale, "float32");
  expectDtype(op, min, "float32");
  const [groups = 0, rows = 0, ...more] = scale.shape;
  const fits = sameShape(words.shape, [groups * INT4_GROUP, rows / INT4_WORD]) && sameShape(min.shape, scale.shape);
  if (!fits || rows % INT4_GROUP !== 0 || more.length > 0)
    throw new ShapeError(
      `${op}: ${typeName(words)} with scales ${typeName(scale)} and minima ${typeName(min)} are no weights of 4 bits by inputs`,
    );
  return [groups * INT4_GROUP, rows];
}

const bytesOf = (...types: readonly TensorType[]): number => types.reduce((sum, type) => sum + byteSize(type), 0);

/** Types of weights of so many groups of inputs and of outputs. */
function packed(groups: number, rowGroups: number): [CaseInput, CaseInput, CaseInput] {
  const rows = rowGroups * INT4_GROUP;
  return [i32([groups * INT4_GROUP, rows / INT4_WORD], 2 ** 31, -(2 ** 31)), f32(groups, rows), f32(groups, rows)];
}

function product(count: number, groups: number, rowGroups: number): [CaseInput, CaseInput, CaseInput, CaseInput] {
  return [f32(count, groups * INT4_GROUP), ...packed(groups, rowGroups)];
}
