import { f32 } from "../cases.ts";
import { definePrimitive, type Op } from "../op.ts";
import type { Tensor } from "../tensor.ts";

/** x, not before `after` is known: what keeps a recomputation from being merged with the first computation. */
export const barrier: Op<[x: Tensor, after: Tensor]> = definePrimitive({
  name: "barrier",
  infer: ([{ dtype, shape }]) => ({ dtype, shape }),
  evaluate: ([x]) => x.data,
  vjp: (ct) => [ct, null],
  cost: () => ({ flops: 0, bytes: 0 }),
  cases: [[f32(3), f32(2)]],
  sample: (draw) => [f32(...draw.shape()), f32(...draw.shape())],
});
