import type { Literal, ScalarOp } from "@finegrain/codegen";
import type { DType } from "@finegrain/graph";
import type { Code } from "../../assembler/code.ts";
import type { vectorOpcodes } from "../../assembler/opcodes.ts";
import * as math from "./math.ts";

/** One call of an element-wise op: its operands are on the stack as vectors, and so is its result after. */
interface Site {
  readonly code: Code;
  /** Of the first operand that is not a condition. */
  readonly dtype: DType;
  readonly result: DType;
  /** Elements that a vector stands for: in the others is whatever was loaded there. */
  readonly lanes: 1 | 4;
  /** The last operand, where it is a number. */
  readonly last: Literal | undefined;
}

type VectorOp = keyof typeof vectorOpcodes;
type Render = (site: Site) => void;

const float =
  (name: VectorOp): Render =>
  ({ code }) =>
    void code.vector(name);
const typed =
  (f32: VectorOp, i32: VectorOp): Render =>
  ({ code, dtype }) =>
    void code.vector(dtype === "float32" ? f32 : i32);
const called =
  (f: math.VectorFunction): Render =>
  ({ code }) =>
    f(code);

/** Pops float16 numbers as they are loaded, with their signs, pushes them as float32. */
export function fromHalves(code: Code): void {
  // A load left sign and magnitude where 13 bits are missing behind them; the exponent is biased by 112 less.
  code
    .i32(13)
    .vector("i32x4.shl")
    .splat(0x8fffffff | 0, "i32")
    .vector("v128.and");
  code.splat(2 ** 112, "f32").vector("f32x4.mul");
}

/** The element-wise ops over four lanes. A bool is a mask of ones or zeros. */
export const scalarOpTable: Readonly<Record<ScalarOp, Render>> = {
  neg: typed("f32x4.neg", "i32x4.neg"),
  abs: typed("f32x4.abs", "i32x4.abs"),
  sqrt: float("f32x4.sqrt"),
  floor: float("f32x4.floor"),
  exp: called(math.exp),
  log: called(math.log),
  sin: called(math.sin),
  cos: called(math.cos),
  tanh: called(math.tanh),
  erf: called(math.erf),
  not: float("v128.not"),
  and: float("v128.and"),
  or: float("v128.or"),
  add: typed("f32x4.add", "i32x4.add"),
  sub: typed("f32x4.sub", "i32x4.sub"),
  mul: typed("f32x4.mul", "i32x4.mul"),
  div: float("f32x4.div"),
  // Against a number, one instruction: a NaN in the first operand stays.
  max: ({ code, dtype, last }) =>
    void code.vector(dtype === "int32" ? "i32x4.max_s" : last ? "f32x4.pmax" : "f32x4.max"),
  min: ({ code, dtype, last }) =>
    void code.vector(dtype === "int32" ? "i32x4.min_s" : last ? "f32x4.pmin" : "f32x4.min"),
  equal: typed("f32x4.eq", "i32x4.eq"),
  less: typed("f32x4.lt", "i32x4.lt_s"),
  lessEqual: typed("f32x4.le", "i32x4.le_s"),
  sign({ code, dtype }) {
    const x = code.local("v128");
    code.set(x);
    if (dtype === "int32") code.get(x).splat(1, "i32").vector("i32x4.min_s").splat(-1, "i32").vector("i32x4.max_s");
    else {
      // NaN compares as neither, so it is added back as x - x.
      code.get(x).splat(0, "f32").vector("f32x4.gt").splat(1, "f32").vector("v128.and");
      code.get(x).splat(0, "f32").vector("f32x4.lt").splat(1, "f32").vector("v128.and", "f32x4.sub");
    }
  },
  pow({ code }) {
    const y = code.local("v128");
    code.set(y);
    math.log(code);
    code.get(y).vector("f32x4.mul");
    math.exp(code);
  },
  rem({ code, lanes }) {
    const [x, y] = [code.local("v128"), code.local("v128")];
    code.set(y).set(x).get(x);
    for (let lane = 0; lane < lanes; lane++) {
      code.get(x).lane("i32x4.extract_lane", lane).get(y).lane("i32x4.extract_lane", lane).do("i32.rem_s");
      code.lane("i32x4.replace_lane", lane);
    }
  },
  select({ code }) {
    const [c, x, y] = [code.local("v128"), code.local("v128"), code.local("v128")];
    code.set(y).set(x).set(c).get(x).get(y).get(c).vector("v128.bitselect");
  },
  cast({ code, dtype, result }) {
    if (dtype === result) return;
    if (dtype === "float16") {
      fromHalves(code);
      return;
    }
    if (dtype === "bool") code.splat(1, result === "float32" ? "f32" : "i32").vector("v128.and");
    else if (result === "bool")
      code.splat(0, dtype === "float32" ? "f32" : "i32").vector(dtype === "float32" ? "f32x4.ne" : "i32x4.ne");
    else code.vector(result === "int32" ? "i32x4.trunc_sat_f32x4_s" : "f32x4.convert_i32x4_s");
  },
  shiftRight({ code, last }) {
    // The number of bits is a number of the op, and no vector.
    code.do("drop").i32(last!.value).vector("i32x4.shr_u");
  },
};
