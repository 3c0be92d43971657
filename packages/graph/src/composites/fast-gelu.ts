import type { CompositeOp } from "../op.ts";
import { add } from "../ops/add.ts";
import { mul } from "../ops/mul.ts";
import { tanh } from "../ops/tanh.ts";
import type { Tensor } from "../tensor.ts";
import { composed } from "./composition.ts";

/** The tanh approximation of GELU: 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))). Hendrycks and Gimpel 2016. */
export const fastGelu: CompositeOp<[x: Tensor]> = composed("fastGelu", (x) =>
  mul(mul(0.5, x), add(1, tanh(mul(Math.sqrt(2 / Math.PI), add(x, mul(0.044715, mul(x, mul(x, x)))))))),
);
