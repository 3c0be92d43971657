import type { CompositeOp } from "../op.ts";
import { mul } from "../ops/mul.ts";
import type { Tensor } from "../tensor.ts";
import { composed } from "./composition.ts";
import { sigmoid } from "./sigmoid.ts";

/** x sigmoid(x), also called swish. */
export const silu: CompositeOp<[x: Tensor]> = composed("silu", (x) => mul(x, sigmoid(x)));
