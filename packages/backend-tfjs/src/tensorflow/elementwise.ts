import type { Tensor } from "@finegrain/graph";
import type { PartialLowerings } from "../lowering.ts";
import type { Value } from "../program-builder.ts";
import { DT } from "./binding.ts";
import type { Operations } from "./operations.ts";

export function elementwise(tf: Operations) {
  const same = (name: string) => (operands: Value[], _: unknown, out: Tensor) => tf.elementwise(name, operands, out);
  return {
    neg: same("Neg"),
    abs: same("Abs"),
    sign: same("Sign"),
    exp: same("Exp"),
    log: same("Log"),
    sqrt: same("Sqrt"),
    sin: same("Sin"),
    cos: same("Cos"),
    tanh: same("Tanh"),
    erf: same("Erf"),
    floor: same("Floor"),
    not: same("LogicalNot"),
    add: same("AddV2"),
    sub: same("Sub"),
    mul: same("Mul"),
    div: same("RealDiv"),
    max: same("Maximum"),
    min: same("Minimum"),
    pow: same("Pow"),
    rem: same("TruncateMod"),
    equal: same("Equal"),
    less: same("Less"),
    lessEqual: same("LessEqual"),
    and: same("LogicalAnd"),
    or: same("LogicalOr"),
    select: same("SelectV2"),
    cast: (operands, dtype, out) => tf.elementwise("Cast", operands, out, { DstT: { type: DT[dtype] } }),
    // The shift of unsigned integers is the logical one.
    shiftRight([x], { bits }) {
      const shifted = tf.op("RightShift", [tf.unsigned(x!), tf.unsigned(tf.int(bits))], x!);
      return tf.op("Bitcast", [shifted], x!, { type: { type: DT.int32 } });
    },
    stopGradient: ([x]) => x!,
    barrier: ([x]) => x!,
    relu: same("Relu"),
    sigmoid: same("Sigmoid"),
    softplus: same("Softplus"),
  } satisfies PartialLowerings;
}
