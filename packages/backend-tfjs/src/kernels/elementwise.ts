import type { Tensor } from "@finegrain/graph";
import type { PartialLowerings } from "../lowering.ts";
import type { Value } from "../program-builder.ts";
import type { Kernels } from "./kernels.ts";

export function elementwise(k: Kernels) {
  const unary =
    (name: string) =>
    ([x]: Value[], _: unknown, out: Tensor): Value =>
      k.run(name, { x: x! }, out);
  const binary =
    (name: string) =>
    ([a, b]: Value[], _: unknown, out: Tensor): Value =>
      k.run(name, { a: a!, b: b! }, out);
  return {
    // By way of float32, where an int32 loses bits.
    neg: ([x], _, out) =>
      out.dtype === "int32" ? k.run("Sub", { a: k.fill(out, 0), b: x! }, out) : k.run("Neg", { x: x! }, out),
    abs: unary("Abs"),
    sign: unary("Sign"),
    exp: unary("Exp"),
    log: unary("Log"),
    sqrt: unary("Sqrt"),
    sin: unary("Sin"),
    cos: unary("Cos"),
    tanh: unary("Tanh"),
    erf: unary("Erf"),
    floor: unary("Floor"),
    not: unary("LogicalNot"),
    add: binary("Add"),
    sub: binary("Sub"),
    mul: binary("Multiply"),
    div: binary("RealDiv"),
    max: binary("Maximum"),
    min: binary("Minimum"),
    pow: binary("Pow"),
    rem: ([x, y], _, out) => remainder(k, x!, y!, out),
    equal: binary("Equal"),
    less: binary("Less"),
    lessEqual: binary("LessEqual"),
    and: binary("LogicalAnd"),
    or: binary("LogicalOr"),
    select: ([condition, t, e], _, out) =>
      k.run(
        "Select",
        { condition: k.broadcast(condition!, out.shape), t: k.broadcast(t!, out.shape), e: k.broadcast(e!, out.shape) },
        out,
      ),
    cast: ([x], dtype, out) =>
      dtype === "bool" ? k.run("NotEqual", { a: x!, b: k.fill(x!, 0) }, out) : k.run("Cast", { x: x! }, out, { dtype }),
    shiftRight: ([x], { bits }) => shiftRight(k, x!, bits),
    stopGradient: ([x]) => x!,
    barrier: ([x]) => x!,
    relu: unary("Relu"),
    sigmoid: unary("Sigmoid"),
  } satisfies PartialLowerings;
}

/**
 * No kernel shifts: the number is taken apart into halves of 16 bits, x = 65536 h + l, which are exact in float32.
 *
 *   x >>> b = floor(h / 2^(b - 16))                  from 16 bits on
 *           = 2^(16 - b) h + floor(l / 2^b)          below
 */
function shiftRight(k: Kernels, x: Value, bits: number): Value {
  const [int, float] = [x, { dtype: "float32", shape: x.shape } as const];
  const binary = (name: string, a: Value, b: number) => k.run(name, { a, b: k.fill(a, b) }, a);
  const over = (a: Value, divisor: number): Value => {
    const quotient = binary("RealDiv", k.run("Cast", { x: a }, float, { dtype: "float32" }), divisor);
    return k.run("Cast", { x: k.run("Floor", { x: quotient }, float) }, int, { dtype: "int32" });
  };
  const low = binary("BitwiseAnd", x, 0xffff);
  const high = binary("BitwiseAnd", over(k.run("Sub", { a: x, b: low }, int), 0x10000), 0xffff);
  if (bits >= 16) return over(high, 2 ** (bits - 16));
  return k.run("Add", { a: binary("Multiply", high, 2 ** (16 - bits)), b: over(low, 2 ** bits) }, int);
}

/** The kernel's remainder m has the sign of y: where that is not x's, and m is not 0, x rem y = m - y. */
function remainder(k: Kernels, x: Value, y: Value, out: Tensor): Value {
  const a = k.broadcast(x, out.shape);
  const b = k.broadcast(y, out.shape);
  const bool = { dtype: "bool", shape: out.shape } as const;
  const zero = k.fill(out, 0);
  const isNegative = (v: Value) => k.run("Less", { a: v, b: zero }, bool);
  const m = k.run("Mod", { a, b }, out);
  const differ = k.run("NotEqual", { a: isNegative(a), b: isNegative(b) }, bool);
  const isOff = k.run("LogicalAnd", { a: differ, b: k.run("NotEqual", { a: m, b: zero }, bool) }, bool);
  return k.run("Select", { condition: isOff, t: k.run("Sub", { a: m, b }, out), e: m }, out);
}
