import type { ScalarOp } from "@finegrain/codegen";
import type { DType } from "@finegrain/graph";

/** One call of an element-wise op: the text of its operands, each a name or a literal. */
interface Site {
  readonly args: readonly string[];
  readonly result: DType;
  readonly lanes: 1 | 4;
}

type Render = (site: Site) => string;

const infix =
  (operator: string): Render =>
  ({ args: [x, y] }) =>
    `(${x} ${operator} ${y})`;
const called =
  (name: string): Render =>
  ({ args }) =>
    `${name}(${args.join(", ")})`;
/** A function of the prelude, of a scalar or of a vector. */
const own =
  (name: string): Render =>
  ({ args, lanes }) =>
    `${name}${lanes === 4 ? "4" : ""}(${args.join(", ")})`;

/** The element-wise ops in WGSL, of scalars and of vectors of four. */
export const scalarOpTable: Readonly<Record<ScalarOp, Render>> = {
  neg: ({ args: [x] }) => `(-${x})`,
  abs: called("abs"),
  sign: called("sign"),
  exp: called("exp"),
  log: called("log"),
  sqrt: called("sqrt"),
  sin: own("sine"),
  cos: own("cosine"),
  floor: called("floor"),
  tanh: own("tanh_far"),
  erf: own("erf"),
  pow: called("pow"),
  not: ({ args: [x] }) => `(!${x})`,
  and: infix("&"),
  or: infix("|"),
  add: infix("+"),
  sub: infix("-"),
  mul: infix("*"),
  div: infix("/"),
  rem: infix("%"),
  max: called("max"),
  min: called("min"),
  equal: infix("=="),
  less: infix("<"),
  lessEqual: infix("<="),
  select: ({ args: [condition, x, y] }) => `select(${y}, ${x}, ${condition})`,
  cast: ({ args: [x], result, lanes }) => `${wgslType(result, lanes)}(${x})`,
  shiftRight: ({ args: [x, bits], lanes }) =>
    lanes === 1
      ? `bitcast<i32>(bitcast<u32>(${x}) >> u32(${bits}))`
      : `bitcast<vec4i>(bitcast<vec4u>(${x}) >> vec4u(u32(${bits})))`,
};

const types = { float32: "f32", int32: "i32", bool: "bool", float16: "f32", int8: "i32" } as const;

/** The type of a value in a register: what is stored in fewer bits is a number as soon as it is read. */
export const wgslType = (dtype: DType, lanes: 1 | 4): string => (lanes === 1 ? types[dtype] : `vec4<${types[dtype]}>`);

/**
 * Functions that WGSL lacks, or whose results it lets be far off: its sine to 2^-11, its tanh for large numbers. sine: x = n pi/2 + r, and
 * the quarter n picks the polynomial (Cephes) and the sign. erf: Abramowitz and Stegun 7.1.26, to 2e-7 absolute.
 */
export const prelude = (["f32", "vec4f"] as const)
  .map((type) => {
    const suffix = type === "vec4f" ? "4" : "";
    const integer = type === "vec4f" ? "vec4i" : "i32";
    return `fn quarter${suffix}(x: ${type}, turn: i32) -> ${type} {
  let n = round(x * 0.636619772);
  let r = ((x - n * 1.5703125) - n * 4.837512969970703e-4) - n * 7.549789954891882e-8;
  let s = r * r;
  let even = ((-1.9515295891e-4 * s + 8.3321608736e-3) * s - 1.6666654611e-1) * s * r + r;
  let odd = ((2.443315711809948e-5 * s - 1.388731625493765e-3) * s + 4.166664568298827e-2) * s * s - 0.5 * s + 1;
  let turns = ${integer}(n) + turn;
  return select(odd, even, (turns & ${integer}(1)) == ${integer}(0)) * ${type}(1 - (turns & ${integer}(2)));
}
fn sine${suffix}(x: ${type}) -> ${type} { return quarter${suffix}(x, 0); }
fn cosine${suffix}(x: ${type}) -> ${type} { return quarter${suffix}(x, 1); }
fn tanh_far${suffix}(x: ${type}) -> ${type} {
  return tanh(clamp(x, ${type}(-20), ${type}(20)));
}
fn erf${suffix}(x: ${type}) -> ${type} {
  let a = abs(x);
  let t = ${type}(1) / (1 + 0.3275911 * a);
  let p = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  return sign(x) * (1 - p * exp(-a * a));
}`;
  })
  .join("\n");
