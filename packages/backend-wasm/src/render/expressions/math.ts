import type { Code, Local } from "../../assembler/code.ts";

/*
 * Functions of four floats that WebAssembly lacks, to about 1e-7 relative. Each takes its argument from the stack and leaves
 * its value there. Polynomials: Cephes (Moshier), erf: Abramowitz and Stegun 7.1.26.
 */
export type VectorFunction = (code: Code) => void;

const vectors = (code: Code, count: number): Local[] => Array.from({ length: count }, () => code.local("v128"));

/** Horner's scheme in `x`, from the highest coefficient. */
function polynomial(code: Code, x: Local, coefficients: readonly number[]): void {
  code.splat(coefficients[0]!, "f32");
  for (const c of coefficients.slice(1)) code.get(x).vector("f32x4.mul").splat(c, "f32").vector("f32x4.add");
}

/** e to the x: 2^n e^r with |r| <= ln 2 / 2. */
export const exp: VectorFunction = (code) => {
  const [x, n, r] = vectors(code, 3) as [Local, Local, Local];
  code.set(x);
  // Beyond these the result is infinity or 0 in any case; NaN passes through both.
  code.get(x).splat(89, "f32").vector("f32x4.pmin").splat(-104, "f32").vector("f32x4.pmax").tee(r);
  code.splat(Math.LOG2E, "f32").vector("f32x4.mul", "f32x4.nearest").set(n);
  code.get(r).get(n).splat(0.693359375, "f32").vector("f32x4.mul", "f32x4.sub");
  code.get(n).splat(-2.1219444e-4, "f32").vector("f32x4.mul", "f32x4.sub").set(r);
  polynomial(code, r, [1.98756915e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 0.5]);
  code.get(r).get(r).vector("f32x4.mul", "f32x4.mul").get(r).vector("f32x4.add").splat(1, "f32").vector("f32x4.add");
  // In two steps, since 2^128 is not a float.
  code.get(n).vector("i32x4.trunc_sat_f32x4_s").tee(n);
  code.i32(1).vector("i32x4.shr_s").tee(r);
  powerOfTwo(code);
  code.vector("f32x4.mul").get(n).get(r).vector("i32x4.sub");
  powerOfTwo(code);
  code.vector("f32x4.mul");
};

/** 2 to an integer in [-126, 127]. */
const powerOfTwo: VectorFunction = (code) => {
  code.splat(127, "i32").vector("i32x4.add").i32(23).vector("i32x4.shl");
};

/** Natural logarithm: -infinity at 0, NaN below it. */
export const log: VectorFunction = (code) => {
  const [x, m, e, small] = vectors(code, 4) as [Local, Local, Local, Local];
  code.set(x);
  // Numbers too small to have all their bits are scaled first.
  code.get(x).splat(1.17549435e-38, "f32").vector("f32x4.lt").set(small);
  code
    .get(x)
    .splat(2 ** 24, "f32")
    .vector("f32x4.mul")
    .get(x)
    .get(small)
    .vector("v128.bitselect")
    .set(m);
  code.get(m).i32(23).vector("i32x4.shr_u").splat(126, "i32").vector("i32x4.sub");
  code.get(small).splat(24, "i32").vector("v128.and", "i32x4.sub").vector("f32x4.convert_i32x4_s").set(e);
  code.get(m).splat(0x007fffff, "i32").vector("v128.and").splat(0x3f000000, "i32").vector("v128.or").set(m);
  // m in [1/2, 1): below sqrt(1/2) it is doubled, so that m - 1 is small.
  const below = small;
  code.get(m).splat(Math.SQRT1_2, "f32").vector("f32x4.lt").set(below);
  code.get(e).get(below).splat(1, "f32").vector("v128.and", "f32x4.sub").set(e);
  code.get(m).get(below).get(m).vector("v128.and", "f32x4.add").splat(1, "f32").vector("f32x4.sub").set(m);
  polynomial(code, m, [
    7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
    2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
  ]); // biome-ignore format: coefficients
  const square = code.local("v128");
  code.get(m).get(m).vector("f32x4.mul").tee(square).get(m).vector("f32x4.mul", "f32x4.mul");
  code.get(e).splat(-2.1219444e-4, "f32").vector("f32x4.mul", "f32x4.add");
  code.get(square).splat(0.5, "f32").vector("f32x4.mul", "f32x4.sub").get(m).vector("f32x4.add");
  code.get(e).splat(0.693359375, "f32").vector("f32x4.mul", "f32x4.add").set(m);
  // 0, infinity and what has no logarithm.
  code.splat(Number.NEGATIVE_INFINITY, "f32").get(m).get(x).splat(0, "f32").vector("f32x4.eq", "v128.bitselect").set(m);
  code.get(m).splat(Number.NaN, "f32").get(x).splat(0, "f32").vector("f32x4.ge", "v128.bitselect").set(m);
  code.splat(Number.POSITIVE_INFINITY, "f32").get(m);
  code.get(x).splat(Number.POSITIVE_INFINITY, "f32").vector("f32x4.eq", "v128.bitselect");
};

/** The sign bit of `x` on a value of no sign, which is on the stack. */
function withSignOf(code: Code, x: Local): void {
  code.get(x).splat(-0x80000000, "i32").vector("v128.and", "v128.or");
}

/** Near 0 a polynomial, since 1 - e^-2x has few bits there. */
export const tanh: VectorFunction = (code) => {
  const [x, a, square, far] = vectors(code, 4) as [Local, Local, Local, Local];
  code.tee(x).vector("f32x4.abs").set(a);
  code.get(a).splat(-2, "f32").vector("f32x4.mul");
  exp(code);
  code.set(far).splat(1, "f32").get(far).vector("f32x4.sub").splat(1, "f32").get(far).vector("f32x4.add", "f32x4.div");
  withSignOf(code, x);
  code.get(x).get(x).vector("f32x4.mul").set(square);
  polynomial(
    code,
    square,
    [-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1],
  );
  code.get(square).vector("f32x4.mul").get(x).vector("f32x4.mul").get(x).vector("f32x4.add");
  code.get(a).splat(0.625, "f32").vector("f32x4.gt", "v128.bitselect");
};

/** To 2e-7 absolute. */
export const erf: VectorFunction = (code) => {
  const [x, a, t] = vectors(code, 3) as [Local, Local, Local];
  code.tee(x).vector("f32x4.abs").set(a);
  code
    .splat(1, "f32")
    .get(a)
    .splat(0.3275911, "f32")
    .vector("f32x4.mul")
    .splat(1, "f32")
    .vector("f32x4.add", "f32x4.div")
    .set(t);
  code.splat(1, "f32");
  polynomial(code, t, [1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592]);
  code.get(t).vector("f32x4.mul").get(a).get(a).vector("f32x4.mul", "f32x4.neg");
  exp(code);
  code.vector("f32x4.mul", "f32x4.sub");
  withSignOf(code, x);
};

/** sin(x + turn quarter turns): x = n pi/2 + r, and the quarter n + turn picks the polynomial and the sign. */
const sine =
  (turn: number): VectorFunction =>
  (code) => {
    const [r, n, square, cosine] = vectors(code, 4) as [Local, Local, Local, Local];
    code
      .tee(r)
      .splat(2 / Math.PI, "f32")
      .vector("f32x4.mul", "f32x4.nearest")
      .set(n);
    for (const part of [1.5703125, 4.837512969970703e-4, 7.549789954891882e-8])
      code.get(r).get(n).splat(part, "f32").vector("f32x4.mul", "f32x4.sub").set(r);
    code.get(n).vector("i32x4.trunc_sat_f32x4_s").splat(turn, "i32").vector("i32x4.add").set(n);
    code.get(r).get(r).vector("f32x4.mul").set(square);
    polynomial(code, square, [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2]);
    code.get(square).get(square).vector("f32x4.mul", "f32x4.mul");
    code.get(square).splat(0.5, "f32").vector("f32x4.mul", "f32x4.sub").splat(1, "f32").vector("f32x4.add").set(cosine);
    code.get(cosine);
    polynomial(code, square, [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1]);
    code.get(square).vector("f32x4.mul").get(r).vector("f32x4.mul").get(r).vector("f32x4.add");
    code.get(n).splat(1, "i32").vector("v128.and").splat(1, "i32").vector("i32x4.eq", "v128.bitselect");
    code.get(n).splat(2, "i32").vector("v128.and").i32(30).vector("i32x4.shl", "v128.xor");
  };
export const sin = sine(0);
export const cos = sine(1);
