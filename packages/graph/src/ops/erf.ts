import { unary } from "../elementwise.ts";
import type { Op } from "../op.ts";
import type { Tensor } from "../tensor.ts";
import { exp } from "./exp.ts";
import { mul } from "./mul.ts";
import { neg } from "./neg.ts";

/**
 * Error function, 2/sqrt(pi) times the integral of exp(-t^2) from 0 to x, to about 1e-15: its Taylor series near 0,
 * a continued fraction (Lentz) of erfc away from it.
 */
function erfOf(x: number): number {
  const a = Math.abs(x);
  if (a < 2.5) {
    let term = a;
    let sum = a;
    for (let n = 1; Math.abs(term) > 1e-17 * sum; n++) {
      term *= (-a * a) / n;
      sum += term / (2 * n + 1);
    }
    return Math.sign(x) * sum * (2 / Math.sqrt(Math.PI));
  }
  let fraction = 0;
  for (let n = 60; n > 0; n--) fraction = n / 2 / (a + fraction);
  return Math.sign(x) * (1 - Math.exp(-a * a) / ((a + fraction) * Math.sqrt(Math.PI)));
}

/** Error function. d/dx erf(x) = 2/sqrt(pi) exp(-x^2). */
export const erf: Op<[x: Tensor]> = unary("erf", erfOf, (ct, [x]) => [
  mul(ct, mul(2 / Math.sqrt(Math.PI), exp(neg(mul(x, x))))),
]);
