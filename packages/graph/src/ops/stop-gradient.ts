import { f32 } from "../cases.ts";
import { definePrimitive, type Op } from "../op.ts";
import type { Tensor } from "../tensor.ts";

/** x, without a gradient. */
export const stopGradient: Op<[x: Tensor]> = definePrimitive({
  name: "stopGradient",
  infer: ([{ dtype, shape }]) => ({ dtype, shape }),
  evaluate: ([x]) => x.data,
  vjp: null,
  cost: () => ({ flops: 0, bytes: 0 }),
  cases: [[f32(3)]],
  sample: (draw) => [f32(...draw.shape())],
});
