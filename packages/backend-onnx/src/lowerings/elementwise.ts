import { type Shape, size, type Tensor, type TensorType } from "@finegrain/graph";
import { CONTRIB, dataTypeOf, type ModelBuilder } from "../model-builder.ts";
import type { Lowerings } from "./lowering.ts";

/** One ONNX operator of the same operands. */
const same =
  (m: ModelBuilder, opType: string, attributes = {}, domain = "") =>
  (inputs: string[]): string =>
    m.node(opType, inputs, attributes, domain);

/** Up to this many columns, one column is stretched over them by a product with ones. */
const FEW_COLUMNS = 16;

/**
 * The same of two operands. Where one has a single column and the other a few, ONNX Runtime starts over in every row: three
 * times slower than to stretch the column first, by a product with ones, which keeps every number as it is.
 */
const ofColumns =
  (m: ModelBuilder, opType: string) =>
  (inputs: string[], _: unknown, out: Tensor): string => {
    const columns = out.shape.at(-1) ?? 1;
    const isFew = out.dtype === "float32" && columns > 1 && columns <= FEW_COLUMNS;
    const stretched = inputs.map((input, i) => {
      const { shape } = out.inputs[i]!;
      if (!isFew || shape.at(-1) !== 1 || size(shape) === 1) return input;
      return m.node("MatMul", [input, m.constant("float32", [1, columns], new Array(columns).fill(1))]);
    });
    return m.node(opType, stretched);
  };

export const elementwise = (m: ModelBuilder) =>
  ({
    neg: same(m, "Neg"),
    abs: same(m, "Abs"),
    // Of what is never negative, a comparison: Sign is the slowest of all element-wise operators.
    sign: ([x], _, out) =>
      out.inputs[0]!.op === "relu"
        ? m.node("Cast", [m.node("Less", [m.constant("float32", [], [0]), x!])], { to: dataTypeOf("float32") })
        : m.node("Sign", [x!]),
    exp: same(m, "Exp"),
    log: same(m, "Log"),
    sqrt: same(m, "Sqrt"),
    sin: same(m, "Sin"),
    cos: same(m, "Cos"),
    tanh: same(m, "Tanh"),
    erf: same(m, "Erf"),
    floor: same(m, "Floor"),
    not: same(m, "Not"),
    add: ofColumns(m, "Add"),
    sub: ofColumns(m, "Sub"),
    mul: ofColumns(m, "Mul"),
    div: ofColumns(m, "Div"),
    max: same(m, "Max"),
    min: same(m, "Min"),
    pow: same(m, "Pow"),
    rem: same(m, "Mod", { fmod: 1 }),
    equal: same(m, "Equal"),
    less: same(m, "Less"),
    lessEqual: same(m, "LessOrEqual"),
    and: same(m, "And"),
    or: same(m, "Or"),
    // Where takes numbers alone.
    select: ([condition, x, y], _, out) =>
      out.dtype === "bool"
        ? m.node("Or", [m.node("And", [condition!, x!]), m.node("And", [m.node("Not", [condition!]), y!])])
        : m.node("Where", [condition!, x!, y!]),
    cast: (inputs, dtype) => m.node("Cast", inputs, { to: dataTypeOf(dtype) }),
    // BitShift takes unsigned integers alone; casts between the two keep the bits.
    shiftRight: ([x], { bits }) => {
      const count = m.node("Cast", [m.constant("int32", [], [bits])], { to: dataTypeOf("uint32") });
      const unsigned = m.node("Cast", [x!], { to: dataTypeOf("uint32") });
      return m.node("Cast", [m.node("BitShift", [unsigned, count], { direction: "RIGHT" })], {
        to: dataTypeOf("int32"),
      });
    },
    stopGradient: ([x]) => x!,
    barrier: ([x, after], _, out) => inTurn(m, x!, out.shape, after!, out.inputs[1]!),
    relu: same(m, "Relu"),
    sigmoid: same(m, "Sigmoid"),
    silu: same(m, "QuickGelu", { alpha: { float: 1 } }, CONTRIB),
    gelu: same(m, "Gelu", {}, CONTRIB),
    // FastGelu refuses scalars.
    fastGelu: ([x], _, out) =>
      out.shape.length > 0
        ? m.node("FastGelu", [x!], {}, CONTRIB)
        : m.reshape(m.node("FastGelu", [m.reshape(x!, [1])], {}, CONTRIB), []),
  }) satisfies Lowerings;

/**
 * x with an axis before the others, which one is known from what it waits for, and without it again: nothing is copied, and ONNX Runtime
 * cannot take what is computed from it for what was computed from x before.
 */
function inTurn(m: ModelBuilder, x: string, shape: Shape, after: string, { dtype, shape: behind }: TensorType): string {
  if (size(behind) === 0) return x;
  const first = m.node("Slice", [m.reshape(after, [size(behind)]), m.ints(0), m.ints(1)]);
  const no = m.node(dtype === "bool" ? "Xor" : "Less", [first, first]);
  const axis = m.node("Cast", [no], { to: dataTypeOf("int64") });
  return m.shaped(m.node("Reshape", [m.node("Unsqueeze", [x, axis]), m.ints(...shape)]), shape);
}
