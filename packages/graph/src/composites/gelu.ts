import type { CompositeOp } from "../op.ts";
import { add } from "../ops/add.ts";
import { erf } from "../ops/erf.ts";
import { mul } from "../ops/mul.ts";
import type { Tensor } from "../tensor.ts";
import { composed } from "./composition.ts";

/** x Phi(x), with the normal distribution function by erf. Hendrycks and Gimpel 2016. */
export const gelu: CompositeOp<[x: Tensor]> = composed("gelu", (x) =>
  mul(mul(0.5, x), add(1, erf(mul(x, Math.SQRT1_2)))),
);
